package node

import (
	"fmt"
	"io"
	"net/http"
	"testing"

	"ago/codec/httpsig"
	"ago/message"
	"ago/store"
)

// TestOnlyWhoSignsFillsTheDisk with what is worked out for him, and only if he asks for it; what others are told the ids of they
// find all the same.
func TestOnlyWhoSignsFillsTheDisk(t *testing.T) {
	t.Parallel()
	n := startNetwork(t, nil)
	rows := func() (count int) {
		for _, err := range n.store.Scan([]byte{store.TableContents}, []byte{store.TableContents + 1}, false) {
			if err != nil {
				t.Fatal(err)
			}
			count++
		}
		return count
	}
	request := func(path string, signed message.Message, header ...string) http.Header {
		t.Helper()
		r, err := http.NewRequestWithContext(t.Context(), "GET", n.Addresses().Node+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		for i := 0; i < len(header); i += 2 {
			r.Header.Set(header[i], header[i+1])
		}
		if signed.Len() > 0 {
			m, err := httpsig.Commit(signed, n.key, httpsig.Terms{})
			if err != nil {
				t.Fatal(err)
			}
			wire, err := httpsig.Encode(m, message.Linked)
			if err != nil {
				t.Fatal(err)
			}
			for _, h := range wire.Headers {
				r.Header.Set(h.Name, h.Value)
			}
		}
		answer, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		defer answer.Body.Close()
		if body, err := io.ReadAll(answer.Body); err != nil || answer.StatusCode != 200 {
			t.Fatalf("%s: %d %s %v", path, answer.StatusCode, body, err)
		}
		return answer.Header
	}
	asks := func(control string) message.Message {
		return message.New(message.Field{Key: "cache-control", Value: message.Bytes(control)})
	}
	nobody := message.Message{}
	unasked := message.New(message.Field{Key: "x", Value: message.Bytes("y")})
	for i, c := range []struct {
		name   string
		signed message.Message
		header []string
		kept   bool
	}{
		{"nobody", nobody, nil, false},
		{"nobody, who asks", nobody, []string{"Cache-Control", "always"}, false},
		{"nobody, who asks for links", nobody, []string{"Accept-Bundle", "false"}, false},
		{"who does not ask", unasked, nil, false},
		{"who asks beside what he signed", unasked, []string{"Cache-Control", "always"}, false},
		{"who signed no-store", asks("no-store"), []string{"Accept-Bundle", "false"}, false},
		{"who signed store", asks("store"), []string{"Accept-Bundle", "false"}, true},
	} {
		before := rows()
		for k := range 5 {
			request("/~scheduler@1.0/status", c.signed, c.header...)
			request(fmt.Sprintf("/~message@1.0&n=%d/set&b+map=c=%d", i, 10*i+k), c.signed, c.header...)
		}
		if kept := rows() > before; kept != c.kept {
			t.Errorf("%s: %d rows before, %d after", c.name, before, rows())
		}
	}
	links := request("/~message@1.0&a=1/set&b+map=c=lent", nobody, "Accept-Bundle", "false")
	id := links.Get("b+link")
	if id == "" {
		t.Fatalf("no link in %v", links)
	}
	if _, _, body := get(t, http.DefaultClient, n.Addresses().Node+"/"+id+"/c"); body != "lent" {
		t.Errorf("behind the link is %s", body)
	}
}
