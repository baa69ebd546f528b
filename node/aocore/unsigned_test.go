package aocore

import (
	"testing"

	"ago/codec/httpsig"
	"ago/codec/json"
	"ago/commitment"
	"ago/message"
)

// What stands beside what was signed counts as not said, be it in the body, in nested messages of it or in headers.
func TestOfASignedBodyOnlyWhatWasSignedCounts(t *testing.T) {
	key, err := commitment.NewAgent().Generate(commitment.Ed25519, nil)
	if err != nil {
		t.Fatal(err)
	}
	text := func(key, value string) message.Field { return message.Field{Key: key, Value: message.Bytes(value)} }
	signed := message.New(text("amount", "1"), message.Field{Key: "inner", Value: message.New(text("b", "2"))})
	second, err := httpsig.Commit(signed, key, httpsig.Terms{})
	if err != nil {
		t.Fatal(err)
	}
	w, err := httpsig.EncodeA(message.New(text("amount", "1"), text("other", "2")))
	if err != nil {
		t.Fatal(err)
	}
	if w, err = httpsig.SignA(w, key, ""); err != nil {
		t.Fatal(err)
	}
	first, err := httpsig.Decode(w)
	if err != nil {
		t.Fatal(err)
	}
	face := testFace(t, commitment.Ed25519)
	for name, m := range map[string]message.Message{"first generation": first, "second generation": second} {
		sent := message.New(text("to", "me"), text("To", "me"), text("Amount", "9"), message.Field{Key: "number", Value: message.Int(1)},
			message.Field{Key: "list", Value: message.List{message.Bytes("x")}}, message.Field{Key: "extra", Value: message.New(text("b", "2"))})
		for key, v := range m.Without(message.KeyCommitments).All() {
			sent = sent.With(key, v)
		}
		body, err := json.Encode(sent.With(message.KeyCommitments, m.Commitments()))
		if err != nil {
			t.Fatal(err)
		}
		answer := ask(t, face, "POST", "/~counter@1.0/sent", string(body), "content-type", "application/json", "accept-codec", "json@1.0", "x-to", "me")
		if answer.Code != 200 {
			t.Fatalf("%s: %d %v %s", name, answer.Code, answer.Header(), answer.Body)
		}
		got, err := json.Decode(answer.Body.Bytes())
		if err != nil {
			t.Fatal(err)
		}
		if got.Text("amount") != "1" {
			t.Errorf("%s: what was signed is gone: %s", name, answer.Body)
		}
		for _, key := range []string{"to", "To", "Amount", "number", "list", "extra", "x-to"} {
			if _, there := got.Get(key); there {
				t.Errorf("%s: nobody signed %q: %s", name, key, answer.Body)
			}
		}
		forged := sent.With("amount", message.Bytes("2")).With(message.KeyCommitments, m.Commitments())
		if body, err = json.Encode(forged); err != nil {
			t.Fatal(err)
		}
		if answer := ask(t, face, "POST", "/~counter@1.0/sent", string(body), "content-type", "application/json"); answer.Code != 400 || answer.Header().Get("code") != "signature-invalid" {
			t.Errorf("%s, forged: %d %s", name, answer.Code, answer.Body)
		}
	}
}
