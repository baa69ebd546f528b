package process

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"ago/codec/ans104"
	"ago/codec/httpsig"
	"ago/commitment"
	"ago/message"
	"ago/slotlog"
)

// observedPage is the schedule that a node of the first generation answered, with the assignments as it signed them.
func observedPage(t *testing.T) (Page, message.Message) {
	t.Helper()
	o := observe(t, "schedule-httpsig")
	answer := decoded(t, o.Response.Headers, o.Response.Body, o.Response.BodyBase64)
	v, _ := answer.Get("assignments")
	var p Page
	for i, name := range []string{"0", "1"} {
		v, _ := v.(message.Message).Get(name)
		as := v.(message.Message)
		body, _ := as.Get("body")
		p.Signed = append(p.Signed, as)
		p.Slots = append(p.Slots, Assigned{Entry: slotlog.Entry{Slot: slotlog.Slot(i)}, Content: ContentOfMessage(body.(message.Message))})
	}
	return p, answer
}

func TestASchedulePageIsThatOfARealNode(t *testing.T) {
	p, answer := observedPage(t)
	got := p.Message()
	for key, want := range answer.OnlyCommitted().All() {
		switch key {
		case message.KeyCommitments, "status":
		case "process": // an id in lower case, which is none
		default:
			if v, _ := got.Get(key); !message.Equal(v, want) {
				t.Errorf("%s is %v, want %v", key, v, want)
			}
		}
	}
	if got.Len() != 7 {
		t.Errorf("%v", got)
	}
}

func TestASchedulePageForComputeUnitsIsThatOfARealNode(t *testing.T) {
	p, _ := observedPage(t)
	type shown struct {
		Anchor, From, Owner, PublicKey, Signature, Target string
		ID                                                string `json:"Id"`
		Data                                              *string
		Tags                                              []Tag
	}
	type page struct {
		Edges []struct {
			Cursor int
			Node   struct{ Assignment, Message shown }
		}
		Info map[string]any `json:"page_info"`
	}
	read := func(text []byte) page {
		var p page
		if err := json.Unmarshal(text, &p); err != nil {
			t.Fatalf("%v: %s", err, text)
		}
		for i := range p.Edges {
			for _, s := range []*shown{&p.Edges[i].Node.Assignment, &p.Edges[i].Node.Message} {
				// That node leaves signatures and keys out, and takes ids in lower case as they come.
				s.PublicKey, s.Signature, s.ID = "", "", strings.ToLower(s.ID)
			}
		}
		// In the page that the assignments are from, that node put the signature of slot 0 on slot 1, so nobody has signed that.
		p.Edges[1].Node.Assignment.From, p.Edges[1].Node.Assignment.Owner, p.Edges[1].Node.Assignment.ID = "", "", ""
		delete(p.Info, "process")
		return p
	}
	want, got := read([]byte(observe(t, "schedule-aos2").Response.Body)), read(p.JSON())
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestContentForComputeUnits(t *testing.T) {
	it, ok := ans104.ItemOf(scheduled(t, "ans104-message"))
	if !ok {
		t.Fatal("no item")
	}
	c := ContentOf(it)
	c.Data = []byte{0xff}
	var got struct {
		Data                 *string
		PublicKey, Signature string
		Tags                 []Tag
	}
	if err := json.Unmarshal(AppendContentJSON(nil, c), &got); err != nil {
		t.Fatal(err)
	}
	if got.Data != nil || len(got.PublicKey) != 683 || len(got.Signature) != 683 || !cmp.Equal(got.Tags, it.Tags) {
		t.Errorf("%+v", got)
	}
}

// TestAModuleSeesHTTPMessagesAsItems: which keys and in which order is what a legacy module depends on.
func TestAModuleSeesHTTPMessagesAsItems(t *testing.T) {
	k := key(t, 1)
	m := committed(t, k, field("target", message.ID{5}.String()), field("data", "1 + 1"), field("action", "Eval"), field("from-process", "p"),
		field("from", "mallory"), message.Field{Key: "n", Value: message.Int(3)}, message.Field{Key: "map", Value: message.New(field("a", "b"))},
		message.Field{Key: "list", Value: message.List{message.Bytes("a"), message.Bytes(`"b"`)}})
	a := Assigned{Content: ContentOfMessage(m), Entry: slotlog.Entry{Slot: 2, Message: m.SignedID(), Timestamp: 7, BlockHeight: 8}}
	var got struct {
		ID     string `json:"Id"`
		Data   string
		Owner  string
		Target string
		From   string
		By     string `json:"Forwarded-By"`
		Tags   []Tag
		Nonce  int
	}
	if err := json.Unmarshal(MessageJSON(Definition{ID: message.ID{5}}, a), &got); err != nil {
		t.Fatal(err)
	}
	want := got
	want.ID, want.Data, want.Owner, want.Target, want.From, want.By, want.Nonce = m.SignedID().String(), "1 + 1", k.ProcessAddress(), message.ID{5}.String(), "p", k.ProcessAddress(), 2
	want.Tags = []Tag{{Name: "Action", Value: "Eval"}, {Name: "Ao-Types", Value: `n="integer"`}, {Name: "From-Process", Value: "p"},
		{Name: "List", Value: `"a", "\"b\""`}, {Name: "N", Value: "3"}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// TestWhatARealNodeSignedCanBeKept: every request and answer whose signatures hold is read back with signatures that hold.
func TestWhatARealNodeSignedCanBeKept(t *testing.T) {
	files, err := filepath.Glob("../codec/httpsig/testdata/http-genA/*.json")
	if err != nil || len(files) != 8 {
		t.Fatal(files, err)
	}
	forms := map[slotlog.Form]int{}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		var all []observed
		if err := json.Unmarshal(text, &all); err != nil {
			t.Fatal(err)
		}
		for _, o := range all {
			for _, side := range []struct {
				headers      map[string]string
				body, body64 string
			}{{o.Request.Headers, o.Request.Body, o.Request.BodyBase64}, {o.Response.Headers, o.Response.Body, o.Response.BodyBase64}} {
				if side.headers["signature"] == "" {
					continue
				}
				m, err := httpsig.Decode(wireOf(side.headers, side.body, side.body64))
				if err != nil {
					continue
				}
				if _, err := commitment.Verify(m); err != nil {
					continue
				}
				form, raw, kept, err := Keep(m)
				if err != nil {
					t.Errorf("%s: %v", o.Name, err)
					continue
				}
				forms[form]++
				if back, err := Kept(form, raw); err != nil || !message.Equal(back, kept) {
					t.Errorf("%s: %v", o.Name, err)
				}
				if _, err := commitment.Verify(kept); err != nil {
					t.Errorf("%s: %v", o.Name, err)
				}
			}
		}
	}
	if forms[slotlog.FormWire] != 159 || len(forms) != 1 {
		t.Errorf("kept in forms %v", forms)
	}
}
