package legacy

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"

	"ago/codec/ans104"
	"ago/fault"
	"ago/message"
	"ago/schedule"
)

func TestSUTellsWhoAndWhenItIs(t *testing.T) {
	su := newSU(newFakeScheduler(t, 1))
	for target, want := range map[string]string{
		"/":                      `{"timestamp":"9000","address":"su-address"}`,
		"/?process-id=whatever":  `{"timestamp":"9000","address":"su-address"}`,
		"/timestamp":             `{"timestamp":"9000","block_height":"000001500001"}`,
		"/timestamp?process-id=": `{"timestamp":"9000","block_height":"000001500001"}`,
		"/health":                "",
	} {
		if status, body, _ := call(t, su, "GET", target, nil); status != 200 || body != want {
			t.Errorf("GET %s: %d %s, want %s", target, status, body, want)
		}
	}
}

func TestSUTakesItemsAndAssignments(t *testing.T) {
	s := newFakeScheduler(t, 1)
	su := newSU(s)
	it := item(t, ans104.Draft{Target: s.process, HasTarget: true, Data: []byte("x")})
	status, body, _ := call(t, su, "POST", "/", bytes.NewReader(it.Raw))
	if want := fmt.Sprintf(`{"timestamp":5000,"id":%q}`, it.ID()); status != 200 || body != want {
		t.Errorf("message: %d %s, want %s", status, body, want)
	}
	target := fmt.Sprintf("/?process-id=%s&assign=%s&base-layer&exclude=Data,%%20Anchor", s.process, it.ID())
	status, body, _ = call(t, su, "POST", target, nil)
	if want := fmt.Sprintf(`{"timestamp":5000,"id":%q}`, message.HashOf([]byte("assignment"))); status != 200 || body != want {
		t.Errorf("assign: %d %s, want %s", status, body, want)
	}
	if want := []string{fmt.Sprintf("%s %s true Data+Anchor", s.process, it.ID())}; !slices.Equal(s.assigned, want) {
		t.Errorf("assigned %q, want %q", s.assigned, want)
	}
}

func TestSURefuses(t *testing.T) {
	s := newFakeScheduler(t, 1)
	su := newSU(s)
	it := item(t, ans104.Draft{Target: s.process, HasTarget: true, Data: []byte("x")})
	forged := bytes.Clone(it.Raw)
	forged[len(forged)-1] ^= 1
	id := it.ID().String()
	for _, c := range []struct {
		name, method, target string
		body                 io.Reader
		status               int
		code                 string
	}{
		{"no item", "POST", "/", strings.NewReader("hello"), 422, "key-type-unknown"},
		{"nothing", "POST", "/", nil, 400, "item-truncated"},
		{"a flipped byte", "POST", "/", bytes.NewReader(forged), 400, "signature-invalid"},
		{"too large", "POST", "/", io.LimitReader(zeros{}, BodyMax+1), 413, "body-too-large"},
		{"process without assign", "POST", "/?process-id=" + id, nil, 400, "query-missing"},
		{"assign without process", "POST", "/?assign=" + id, nil, 400, "query-missing"},
		{"assign of no id", "POST", "/?process-id=" + id + "&assign=short", nil, 400, "id-malformed"},
		{"unknown id", "GET", "/" + id, nil, 404, "message-unknown"},
		{"unknown id with a process", "GET", "/" + id + "?process-id=" + s.process.String(), nil, 404, "message-unknown"},
		{"no id", "GET", "/hello", nil, 400, "id-malformed"},
		{"unknown process", "GET", "/processes/" + id, nil, 404, "process-unknown"},
		{"latest of an unknown process", "GET", "/" + id + "/latest", nil, 404, "process-unknown"},
		{"limit of no number", "GET", "/" + s.process.String() + "?limit=many", nil, 400, "query-malformed"},
		{"limit 0", "GET", "/" + s.process.String() + "?limit=0", nil, 400, "query-malformed"},
		{"from of no number", "GET", "/" + s.process.String() + "?from=now", nil, 400, "query-malformed"},
		{"a nonce of no number", "GET", "/" + s.process.String() + "?to-nonce=x", nil, 400, "query-malformed"},
		{"no route", "DELETE", "/" + id, nil, 404, "route-unknown"},
	} {
		status, body, _ := call(t, su, c.method, c.target, c.body)
		failure(t, c.name, status, body, c.status, c.code)
	}
	if len(s.submitted) != 0 {
		t.Errorf("refused items were submitted: %v", s.submitted)
	}
	s.refuse = fault.New(fault.TooMany, "process-queue-full", "full").WithHint("later")
	status, body, _ := call(t, su, "POST", "/", bytes.NewReader(it.Raw))
	if want := `{"error":"full","code":"process-queue-full","hint":"later"}`; status != 429 || body != want {
		t.Errorf("the scheduler's word: %d %s, want 429 %s", status, body, want)
	}
}

// page reads a page's nonces and cursors.
func page(t *testing.T, s *fakeScheduler, query string) (nonces, cursors []string, more bool) {
	t.Helper()
	status, body, _ := call(t, newSU(s), "GET", "/"+s.process.String()+query, nil)
	var p struct {
		PageInfo struct {
			HasNextPage bool `json:"has_next_page"`
		} `json:"page_info"`
		Edges []struct {
			Cursor string
			Node   struct {
				Assignment struct {
					Tags []struct{ Name, Value string }
				}
			}
		}
	}
	if err := json.Unmarshal([]byte(body), &p); err != nil || status != 200 {
		t.Fatalf("page %s: %d %v %s", query, status, err, body)
	}
	for _, e := range p.Edges {
		cursors = append(cursors, e.Cursor)
		nonces = append(nonces, e.Node.Assignment.Tags[1].Value)
	}
	return nonces, cursors, p.PageInfo.HasNextPage
}

func TestSUPages(t *testing.T) {
	s := newFakeScheduler(t, 7)
	for _, c := range []struct {
		query, nonces, cursors string
		more                   bool
	}{
		{"", "0 1 2 3 4 5 6", "1000 1010 1020 1030 1040 1050 1060", false},
		{"?limit=7", "0 1 2 3 4 5 6", "1000 1010 1020 1030 1040 1050 1060", false},
		{"?limit=2", "0 1", "1000 1010", true},
		{"?from=1010", "2 3 4 5 6", "1020 1030 1040 1050 1060", false},
		{"?from=1009&limit=1", "1", "1010", true},
		{"?from=1010&to=1030", "2 3", "1020 1030", false},
		{"?to=1005", "0", "1000", false},
		{"?from=0&to=0", "", "", false},
		{"?from=2000", "", "", false},
		{"?from=1050&to=1010", "", "", false},
		{"?from-nonce=-1&limit=3", "0 1 2", "0 1 2", true},
		{"?from-nonce=2", "3 4 5 6", "3 4 5 6", false},
		{"?from-nonce=2&to-nonce=4", "3 4", "3 4", false},
		{"?to-nonce=0", "0", "0", false},
		{"?to-nonce=-1", "", "", false},
		{"?from-nonce=99", "", "", false},
		{"?limit=9223372036854775807", "0 1 2 3 4 5 6", "1000 1010 1020 1030 1040 1050 1060", false},
		{"?from-nonce=9223372036854775807", "", "", false},
	} {
		nonces, cursors, more := page(t, s, c.query)
		if strings.Join(nonces, " ") != c.nonces || strings.Join(cursors, " ") != c.cursors || more != c.more {
			t.Errorf("%q: %v %v %t", c.query, nonces, cursors, more)
		}
	}
}

func TestSUShowsASlot(t *testing.T) {
	s := newFakeScheduler(t, 3)
	s.slots[1].Content.Data = []byte("ok \xff\u2028 <&>")
	s.slots[2].ByID = true
	su := newSU(s)
	a := s.slots[1]
	as, err := ans104.DecodeItem(a.Assignment)
	if err != nil {
		t.Fatal(err)
	}
	owner := fmt.Sprintf(`"owner":{"address":%q,"key":%q}`, testKey.Address(), base64.RawURLEncoding.EncodeToString(testKey.Owner()))
	assignment := func(anchor string) string {
		return fmt.Sprintf(`"assignment":{"id":%q,%s,"tags":[{"name":"Process","value":%q},{"name":"Nonce","value":"1"}],"signature":%q,"anchor":%s,"target":""}`,
			as.ID(), owner, s.process, base64.RawURLEncoding.EncodeToString(as.Signature), anchor)
	}
	msg := fmt.Sprintf(`"message":{"id":%q,%s,"data":"ok %s%s <&>","tags":[],"signature":%q,"anchor":%q,"target":%q}`,
		a.Message, owner, "\ufffd", "\u2028", base64.RawURLEncoding.EncodeToString(a.Content.Signature), fmt.Sprintf("%032d", 1), s.process)
	plain := "{" + msg + "," + assignment("null") + "}"
	for target, want := range map[string]string{
		"/" + a.Message.String() + "?process-id=" + s.process.String(): plain,
		"/" + a.Message.String(): plain,
		"/" + a.AssignmentID.String() + "?process-id=" + a.Message.String(): plain,
		"/" + a.Message.String() + "?process-id=" + s.process.String() + "&show-anchor": "{" + msg + "," +
			assignment(fmt.Sprintf("%q", base64.RawURLEncoding.EncodeToString(as.Anchor))) + "}",
	} {
		if status, body, _ := call(t, su, "GET", target, nil); status != 200 || body != want {
			t.Errorf("GET %s:\n%d %s\nwant\n%s", target, status, body, want)
		}
	}
	if _, body, _ := call(t, su, "GET", "/"+s.process.String()+"/latest", nil); !strings.HasPrefix(body, `{"message":null,"assignment":{`) {
		t.Errorf("a message assigned by id: %s", body)
	}
}

func TestSUShowsAProcess(t *testing.T) {
	s := newFakeScheduler(t, 2)
	c := s.slots[0].Content
	want := fmt.Sprintf(`{"process_id":%q,"block":"000000000077","owner":{"address":%q,"key":%q},"tags":[{"name":"Data-Protocol","value":"ao"},`+
		`{"name":"Type","value":"Process"},{"name":"Name","value":"p"}],"timestamp":1000,"data":"boot","anchor":"","signature":%q,"target":""}`,
		s.process, testKey.Address(), base64.RawURLEncoding.EncodeToString(testKey.Owner()), base64.RawURLEncoding.EncodeToString(c.Signature))
	if status, body, _ := call(t, newSU(s), "GET", "/processes/"+s.process.String(), nil); status != 200 || body != want {
		t.Errorf("%d %s\nwant\n%s", status, body, want)
	}
}

func TestSUFindsAMessageOfAnotherProcess(t *testing.T) {
	s := newFakeScheduler(t, 3)
	other := message.HashOf([]byte("another process"))
	s.places[other] = []schedule.Place{{Process: s.process, Slot: 2}}
	status, body, _ := call(t, newSU(s), "GET", "/"+other.String()+"?process-id="+message.HashOf([]byte("p2")).String(), nil)
	if status != 200 || !strings.Contains(body, s.slots[2].Message.String()) {
		t.Errorf("%d %s", status, body)
	}
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { clear(p); return len(p), nil }
