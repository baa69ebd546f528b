package commitment

import (
	"testing"

	"ago/fault"
	"ago/message"
)

func TestEntriesAreCheckedByTheirDevice(t *testing.T) {
	RegisterEntries("entry-test@1.0", func(m message.Message, id string, entry message.Message) (Signer, error) {
		switch id {
		case "nobody":
			return Signer{}, nil
		case "forged":
			return Signer{}, forged("not so")
		}
		return Signer{Type: Ed25519, Owner: []byte(id)}, nil
	})
	with := func(device string, ids ...string) message.Message {
		entries := message.New()
		for _, id := range ids {
			who := Signer{Type: Ed25519, Owner: []byte(id)}.Address().String()
			entries = entries.With(id, message.New(message.Field{Key: "commitment-device", Value: message.Bytes(device)}, message.Field{Key: "committer", Value: message.Bytes(who)}))
		}
		return message.New(message.Field{Key: message.KeyCommitments, Value: entries})
	}
	if got, err := VerifyEntries(with("entry-test@1.0", "b", "nobody", "a")); err != nil || len(got) != 2 || string(got[0].Owner) != "a" || string(got[1].Owner) != "b" {
		t.Errorf("%v, %v", got, err)
	}
	if got, err := VerifyEntries(message.New()); err != nil || got != nil {
		t.Errorf("%v, %v", got, err)
	}
	if _, err := VerifyEntries(with("entry-test@1.0", "a", "forged")); fault.KindOf(err) != fault.Forged {
		t.Errorf("forged: %v", err)
	}
	for _, who := range []string{"", "b", "nobody"} { // a commitment is somebody's, and says whose
		m := with("entry-test@1.0", "a")
		v, _ := m.Commitments().Get("a")
		m = m.With(message.KeyCommitments, message.New(message.Field{Key: "a", Value: v.(message.Message).With("committer", message.Bytes(who))}))
		if _, err := VerifyEntries(m); fault.KindOf(err) != fault.Forged {
			t.Errorf("%q for the committer: %v", who, err)
		}
	}
	if _, err := VerifyEntries(with("other@1.0", "a")); fault.CodeOf(err) != "commitment-unknown" {
		t.Errorf("unknown: %v", err)
	}
	defer func() {
		if recover() == nil {
			t.Error("a second check of one device is taken")
		}
	}()
	RegisterEntries("entry-test@1.0", nil)
}
