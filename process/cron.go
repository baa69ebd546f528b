package process

import (
	"cmp"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"ago/codec/js"
	"ago/fault"
	"ago/message"
	"ago/slotlog"
)

// Cron is a timer of a process: a message that nobody sends, every so many seconds or blocks since the process was made.
type Cron struct {
	Interval string // as the Process says, for instance 10-seconds
	Name     string // as results carry it: the place among the timers of its kind, a dash, the interval
	Every    int64  // seconds, or blocks; 0: never
	Blocks   bool
	Tags     []Tag // of the message
}

// Crons reads the timers in the tags of a Process, in the order in which they are due at one moment: those by blocks as
// they are written, then those by time, the shortest first.
//
// A timer is a tag Cron-Interval, a number and a unit with a dash between them, and the tags Cron-Tag-<Name> that follow it.
// Units are block and blocks, and millisecond to year in the long, short and plural forms; a year has 365.25 days. A unit that
// is unknown is a timer that is never due, as in the legacy units.
func Crons(tags []Tag) ([]Cron, error) {
	var all []Cron
	for _, t := range tags {
		switch {
		case t.Name == "Cron-Interval":
			c, err := parseCron(t.Value)
			if err != nil {
				return nil, err
			}
			all = append(all, c)
		case strings.HasPrefix(t.Name, "Cron-Tag-") && len(t.Name) > len("Cron-Tag-"):
			if len(all) == 0 {
				return nil, fault.New(fault.Malformed, "cron-tag-unmatched", "the tag %s stands before any Cron-Interval", t.Name).
					WithHint("put it behind the Cron-Interval whose messages are to carry it")
			}
			last := &all[len(all)-1]
			last.Tags = append(last.Tags, Tag{Name: t.Name[len("Cron-Tag-"):], Value: t.Value})
		}
	}
	if len(all) > math.MaxUint16 {
		return nil, fault.New(fault.Malformed, "cron-too-many", "the Process has %d timers", len(all))
	}
	slices.SortStableFunc(all, func(a, b Cron) int {
		switch {
		case a.Blocks && b.Blocks:
			return 0
		case a.Blocks:
			return -1
		case b.Blocks:
			return 1
		case a.Every == 0 || b.Every == 0:
			return 0
		}
		return cmp.Compare(a.Every, b.Every)
	})
	blocks := 0
	for i := range all {
		place := i - blocks
		if all[i].Blocks {
			place = i
			blocks++
		}
		all[i].Name = strconv.Itoa(place) + "-" + all[i].Interval
	}
	return all, nil
}

// CheckCrons refuses timers that would never be due, which only a mistake can mean.
func CheckCrons(tags []Tag) error {
	all, err := Crons(tags)
	if err != nil {
		return err
	}
	for _, c := range all {
		if c.Every == 0 {
			return fault.New(fault.Malformed, "cron-interval-malformed", "Cron-Interval %.60q is not an interval", c.Interval).
				WithHint("write a number, a dash and a unit: 10-seconds, 5-minutes, 1-hour, 2-days, 1-week, 1-year or 10-blocks")
		}
	}
	return nil
}

var cronUnits = map[string]float64{"ms": 1, "s": 1000, "m": 60_000, "h": 3_600_000, "d": 86_400_000, "w": 7 * 86_400_000, "y": 365.25 * 86_400_000}

// cronTime is a number with a unit of time in one of its spellings; without one it is milliseconds.
var cronTime = regexp.MustCompile(`(?i)^(-?\d*\.?\d+) *(?:(ms|milliseconds?|msecs?)|(s|seconds?|secs?)|(m|minutes?|mins?)|(h|hours?|hrs?)|(d|days?)|(w|weeks?)|(y|years?|yrs?))?$`)

var cronGroups = []string{2: "ms", 3: "s", 4: "m", 5: "h", 6: "d", 7: "w", 8: "y"}

// cronMax bounds an interval, in seconds or blocks: longer ones are never due.
const cronMax = 1 << 40

func parseCron(text string) (Cron, error) {
	c := Cron{Interval: text}
	parts := strings.SplitN(text, "-", 3)
	for i := range parts {
		parts[i] = strings.TrimSpace(parts[i])
	}
	value, unit := parts[0], ""
	if len(parts) > 1 {
		unit = parts[1]
	}
	if unit == "block" || unit == "blocks" {
		c.Blocks = true
		digits := strings.TrimPrefix(value, "+")
		end := 0
		for end < len(digits) && digits[end] >= '0' && digits[end] <= '9' {
			end++
		}
		if n, err := strconv.ParseInt(digits[:end], 10, 64); err == nil && n <= cronMax {
			c.Every = n
		}
		return c, nil
	}
	joined := value + " " + unit
	m := cronTime.FindStringSubmatch(joined)
	if m == nil || len(joined) > 100 {
		return c, nil
	}
	ms := 1.0
	for i, unit := range cronGroups {
		if unit != "" && m[i] != "" {
			ms = cronUnits[unit]
		}
	}
	n, err := strconv.ParseFloat(m[1], 64)
	if err != nil && !math.IsInf(n, 0) {
		return c, nil
	}
	seconds := math.Floor(n * ms / 1000)
	if seconds <= 0 {
		return c, fault.New(fault.Malformed, "cron-interval-too-short", "Cron-Interval %.60q: time-based cron cannot be less than 1 second", text).
			WithHint("write 1-second or more")
	}
	if seconds <= cronMax {
		c.Every = int64(seconds)
	}
	return c, nil
}

// Moment is a time with the block that is the newest then.
type Moment struct {
	Timestamp int64 // ms
	Height    uint64
}

// Tick is a moment at which a timer is due.
type Tick struct {
	Process   message.ID
	Slot      slotlog.Slot // the slot before it
	Timestamp int64        // ms; of the block, for a timer by blocks
	Place     uint16       // of the timer in Crons, from 1
	Name      string       // of the timer
	Height    uint64       // of the newest block
	Tags      []Tag
}

// Before tells whether a tick comes before a position after the same slot.
func (t Tick) Before(timestamp int64, place uint16) bool {
	return t.Timestamp < timestamp || t.Timestamp == timestamp && t.Place < place
}

// TickJSON is the text the module's handle is given for a tick: Owner, Target, From, Tags, Timestamp, Block-Height, Cron,
// Read-Only. It has no id, no signature, no nonce and no data.
func TickJSON(def Definition, t Tick) []byte {
	b := append(make([]byte, 0, 512), `{"Owner":`...)
	b = js.AppendJSON(b, def.Owner)
	b = append(b, `,"Target":`...)
	b = js.AppendJSON(b, def.ID.String())
	b = append(b, `,"From":`...)
	b = js.AppendJSON(b, def.Owner)
	b = append(b, `,"Tags":`...)
	b = appendTags(b, t.Tags, reserved)
	b = append(b, `,"Timestamp":`...)
	b = appendInt(b, t.Timestamp)
	b = append(b, `,"Block-Height":`...)
	b = appendInt(b, int64(t.Height))
	return append(b, `,"Cron":true,"Read-Only":false}`...)
}
