package commitment

import (
	"sync"

	"ago/fault"
	"ago/message"
)

// keyDevice is the key of a commitment that names who knows how to check it.
const keyDevice = "commitment-device"

const keyCommitter = "committer"

// EntryCheck checks one commitment of a message, by its id, and gives who made it; a commitment that nobody in particular made
// gives the zero Signer. It looks at what the message says, in whatever encoding that came.
type EntryCheck func(m message.Message, id string, entry message.Message) (Signer, error)

// entryChecks maps the device of a commitment to its check. Codecs register when their package is loaded.
var entryChecks = struct {
	sync.RWMutex
	by map[string]EntryCheck
}{by: map[string]EntryCheck{}}

// RegisterEntries brings the check of a kind of commitments. It panics if the device already has one.
func RegisterEntries(device string, check EntryCheck) {
	entryChecks.Lock()
	defer entryChecks.Unlock()
	if _, ok := entryChecks.by[device]; ok {
		panic("commitment: two checks for " + device)
	}
	entryChecks.by[device] = check
}

// VerifyEntry checks one commitment of a message by the device that it names. It fails with Forged if the commitment does not
// hold or names another committer than who made it, or none, and with Unsupported ("commitment-unknown") if nobody here knows the
// device.
func VerifyEntry(m message.Message, id string, entry message.Message) (Signer, error) {
	device := entry.Text(keyDevice)
	entryChecks.RLock()
	check := entryChecks.by[device]
	entryChecks.RUnlock()
	if check == nil {
		return Signer{}, fault.New(fault.Unsupported, "commitment-unknown", "a commitment by %.60q is not checked here", device)
	}
	s, err := check(m, id, entry)
	if who := entry.Text(keyCommitter); err == nil && s.Owner != nil && who != s.Address().String() && who != s.ProcessAddress() {
		// Or what is said of the committers of a message would not be said of all who signed it.
		return Signer{}, fault.New(fault.Forged, "signature-invalid", "the commitment %.60s names %.60q for the one who made it, who is %s", id, who, s.Address())
	}
	return s, err
}

// VerifyEntries checks every commitment that came with a message and gives who made them, in the order of their ids. A message
// without commitments has no signers, which is no error.
func VerifyEntries(m message.Message) ([]Signer, error) {
	var signers []Signer
	for id, v := range m.Commitments().All() {
		entry, _ := v.(message.Message)
		s, err := VerifyEntry(m, id, entry)
		if err != nil {
			return nil, err
		}
		if s.Owner != nil {
			signers = append(signers, s)
		}
	}
	return signers, nil
}
