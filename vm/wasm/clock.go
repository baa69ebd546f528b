//go:build linux && amd64 && cgo

package wasm

import (
	"math"
	"time"
)

// Time as a module sees it: a counter of its own readings, and the calendar in UTC. Nothing here reads a real clock.

var timeHosts = map[string]hostFunc{
	"emscripten_date_now":  dateNow,
	"_emscripten_date_now": dateNow,
	"emscripten_get_now": func(m *machine, a *args) uint64 {
		if m.abi.noFiles {
			return 0
		}
		t := m.now()
		if m.abi.fixedClock {
			return 0x7FF8000000000000 // the loader takes the counter's number for a pair, which is no number
		}
		return math.Float64bits(float64(t))
	},
	"clock_time_get": func(m *machine, a *args) uint64 {
		m.set64(a[2], uint64(m.now())*1e6)
		return 0
	},
	"_emscripten_get_now_is_monotonic": func(m *machine, a *args) uint64 { return 1 },
	"_gmtime_js":                       func(m *machine, a *args) uint64 { breakDown(m, a, false); return 0 },
	"_localtime_js":                    func(m *machine, a *args) uint64 { breakDown(m, a, true); return 0 },
	"_mktime_js":                       makeTime,
	"_tzset_js":                        setZone,
	"strftime":                         func(m *machine, a *args) uint64 { return formatTime(m, a) },
	"strftime_l":                       func(m *machine, a *args) uint64 { return formatTime(m, a) },
}

// now reads the clock; reading moves it on.
func (m *machine) now() uint64 {
	t := m.host.Clock
	m.host.Clock++
	return t
}

func dateNow(m *machine, a *args) uint64 {
	if m.abi.fixedClock {
		return 0
	}
	return math.Float64bits(float64(m.now()))
}

// Offsets in struct tm. The fields before the zone are the same for all formats.
const (
	tmSec, tmMin, tmHour, tmMday, tmMon, tmYear, tmWday, tmYday, tmIsdst = 0, 4, 8, 12, 16, 20, 24, 28, 32
)

func (m *machine) tmGmtoff() uint64 {
	if m.abi.pointer == 8 {
		return 40
	}
	return 36
}

func (m *machine) tmZone() uint64 { return m.tmGmtoff() + uint64(m.abi.pointer) }

// dateMax is the last millisecond a date of the reference can hold, on either side of 1970.
const dateMax = 8.64e15

// breakDown writes the parts of a time; local time is UTC with the zone's offset besides.
func breakDown(m *machine, a *args, local bool) {
	var seconds int64
	to := a[1]
	valid := true
	switch {
	case m.abi.timePointer:
		seconds = int64(int32(m.get32(a[0])))
	case m.abi.timePair:
		seconds = int64(a[0]&0xffffffff | a[1]<<32)
		to = a[2]
	default:
		seconds = int64(a[0])
	}
	if math.Abs(float64(seconds)*1000) > dateMax {
		valid = false
	}
	put := func(at uint64, v int) {
		if !valid {
			v = 0 // an invalid date's parts are no numbers, which a 32-bit field stores as 0
		}
		m.set32(to+at, uint32(v))
	}
	t := time.Unix(seconds, 0).UTC()
	put(tmSec, t.Second())
	put(tmMin, t.Minute())
	put(tmHour, t.Hour())
	put(tmMday, t.Day())
	put(tmMon, int(t.Month())-1)
	put(tmYear, t.Year()-1900)
	put(tmWday, int(t.Weekday()))
	put(tmYday, t.YearDay()-1)
	if !local {
		return
	}
	if m.abi.pointer == 8 {
		if !valid {
			m.stop("The number NaN cannot be converted to a BigInt because it is not an integer")
		}
		m.set64(to+m.tmGmtoff(), 0)
	} else {
		m.set32(to+m.tmGmtoff(), 0)
	}
	m.set32(to+tmIsdst, 0)
}

// makeTime is mktime: it normalises the parts and answers the seconds.
func makeTime(m *machine, a *args) uint64 {
	p := a[0]
	field := func(at uint64) int64 { return int64(int32(m.get32(p + at))) }
	ms, ok := dateMs(field(tmYear)+1900, field(tmMon), field(tmMday), field(tmHour), field(tmMin), field(tmSec))
	if isdst := field(tmIsdst); isdst < 0 {
		m.set32(p+tmIsdst, 0)
	}
	t := time.UnixMilli(ms).UTC()
	put := func(at uint64, v int) {
		if !ok {
			v = 0
		}
		m.set32(p+at, uint32(v))
	}
	put(tmWday, int(t.Weekday()))
	put(tmYday, t.YearDay()-1)
	put(tmSec, t.Second())
	put(tmMin, t.Minute())
	put(tmHour, t.Hour())
	put(tmMday, t.Day())
	put(tmMon, int(t.Month())-1)
	if !m.abi.timePointer {
		put(tmYear, t.Year()-1900)
	}
	seconds := ms / 1000
	if !ok {
		seconds = -1
		if m.abi.timePointer {
			seconds = 0
		}
	}
	if m.abi.pointer == 4 && !m.abi.timePointer {
		m.setTempRet(uint64(uint32(seconds >> 32)))
	}
	return uint64(seconds)
}

// dateMs is the time value of the reference's date constructor, with its rule that the years 0 to 99 mean the
// twentieth century.
func dateMs(year, month, day, hour, minute, second int64) (int64, bool) {
	if year >= 0 && year <= 99 {
		year += 1900
	}
	year += floorDiv(month, 12)
	month = month - 12*floorDiv(month, 12)
	if year > 400000 || year < -400000 {
		return 0, false
	}
	days := time.Date(int(year), time.Month(month+1), 1, 0, 0, 0, 0, time.UTC).Unix()/86400 + day - 1
	ms := float64(days)*86400000 + float64(hour)*3600000 + float64(minute)*60000 + float64(second)*1000
	if math.Abs(ms) > dateMax {
		return 0, false
	}
	return int64(ms), true
}

func floorDiv(a, b int64) int64 {
	q := a / b
	if a%b < 0 {
		q--
	}
	return q
}

// setTempRet hands the upper half of a 64-bit result to the module.
func (m *machine) setTempRet(v uint64) {
	if f, ok := m.s.function("_emscripten_tempret_set"); ok {
		m.mustCall(f, v)
		return
	}
	if f, ok := m.s.function("setTempRet0"); ok {
		m.mustCall(f, v)
		return
	}
	m.host.Temp = v
}

// setZone tells the module its zone: UTC.
func setZone(m *machine, a *args) uint64 {
	if m.abi.zoneByAlloc {
		if m.host.Zone {
			return 0
		}
		m.host.Zone = true
		m.set32(a[0], 0)
		m.set32(a[1], 0)
		const name = "Coordinated Universal Time"
		var p [2]uint64
		for i := range p {
			p[i] = m.mustCall(m.malloc, uint64(len(name))+1)
			m.write(p[i], []byte(name+"\x00"))
		}
		// Without summer time the summer's name comes first; it was allocated second.
		m.set32(a[2], uint32(p[1]))
		m.set32(a[2]+4, uint32(p[0]))
		return 0
	}
	m.setWord(a[0], 0)
	m.set32(a[1], 0)
	name := "UTC\x00"
	if m.abi.longZone {
		name = "Coordi\x00" // the long name, cut to the space of a short one
	}
	m.write(a[3], []byte(name))
	m.write(a[2], []byte(name))
	return 0
}

func formatTime(m *machine, a *args) uint64 {
	to, size, format, tm := a[0], a[1], a[2], a[3]
	field := func(at uint64) int { return int(int32(m.get32(tm + at))) }
	t := brokenTime{
		sec: field(tmSec), min: field(tmMin), hour: field(tmHour), mday: field(tmMday), mon: field(tmMon),
		year: field(tmYear), wday: field(tmWday), yday: field(tmYday),
	}
	if m.abi.pointer == 8 {
		t.gmtoff = int64(m.get64(tm + m.tmGmtoff()))
	} else {
		t.gmtoff = int64(int32(m.get32(tm + m.tmGmtoff())))
	}
	if zone := m.getWord(tm + m.tmZone()); zone != 0 {
		t.zone = string(decodeText(m.text(zone)))
	}
	out, err := strftime(string(decodeText(m.text(format))), t)
	if err != nil {
		m.stop(err.Error())
	}
	if uint64(len(out))+1 > size {
		return 0
	}
	m.write(to, []byte(out))
	m.set8(to+uint64(len(out)), 0)
	return uint64(len(out))
}
