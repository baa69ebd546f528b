package legacy

import (
	"encoding/base64"
	"encoding/json"
	"strconv"
	"strings"

	"ago/fault"
	"ago/slotlog"
)

// A cursor is base64 text of JSON that clients take apart themselves: aos reads the ordinate out of it. So its bytes are a
// contract, the sort inside it included: whoever reads on from a cursor gets the order the cursor came from.
type cursor struct {
	Timestamp int64
	Slot      *slotlog.Slot // nil for a plain timestamp
	Cron      string        // name of the timer, for a tick after that slot
	Sort      string        // "" for a plain timestamp
}

const (
	ascending  = "ASC"
	descending = "DESC"
)

// String gives the text clients keep.
func (c cursor) String() string {
	b := strconv.AppendInt([]byte(`{"timestamp":`), c.Timestamp, 10)
	b = append(b, `,"ordinate":`...)
	if c.Slot == nil {
		b = append(b, `null`...)
	} else {
		b = append(strconv.AppendUint(append(b, '"'), uint64(*c.Slot), 10), '"')
	}
	b = append(b, `,"cron":`...)
	if c.Cron == "" {
		b = append(b, `null`...)
	} else {
		b = appendText(b, c.Cron)
	}
	b = append(append(b, `,"sort":"`...), c.Sort...)
	return base64.StdEncoding.EncodeToString(append(b, `"}`...))
}

// parseCursor reads such a text, or a plain time in milliseconds.
func parseCursor(name, s string) (cursor, error) {
	if ms, err := strconv.ParseInt(s, 10, 64); err == nil {
		return cursor{Timestamp: ms}, nil
	}
	bad := func() (cursor, error) {
		return cursor{}, fault.New(fault.Malformed, "cursor-malformed", "%s is neither a time in milliseconds nor a cursor", name).
			WithHint("pass the cursor of an edge as it was given")
	}
	raw, err := base64.StdEncoding.DecodeString(s)
	if err != nil {
		return bad()
	}
	var v struct {
		Timestamp *json.Number    `json:"timestamp"`
		Ordinate  json.RawMessage `json:"ordinate"`
		Cron      *string         `json:"cron"`
		Sort      string          `json:"sort"`
	}
	if json.Unmarshal(raw, &v) != nil || v.Timestamp == nil {
		return bad()
	}
	var c cursor
	if c.Timestamp, err = v.Timestamp.Int64(); err != nil {
		return bad()
	}
	if len(v.Ordinate) > 0 && string(v.Ordinate) != "null" { // text in cursors of units, a number in those people write
		n, err := strconv.ParseUint(strings.Trim(string(v.Ordinate), `"`), 10, 63)
		if err != nil {
			return bad()
		}
		slot := slotlog.Slot(n)
		c.Slot = &slot
	}
	if v.Cron != nil {
		c.Cron = *v.Cron
	}
	switch v.Sort {
	case "", ascending, descending:
		c.Sort = v.Sort
	default:
		return bad()
	}
	return c, nil
}
