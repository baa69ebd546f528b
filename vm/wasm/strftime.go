//go:build linux && amd64 && cgo

package wasm

import (
	"errors"
	"math"
	"strconv"
	"strings"
	"time"
)

// brokenTime is C's struct tm.
type brokenTime struct {
	sec, min, hour, mday, mon, year, wday, yday int
	gmtoff                                      int64
	zone                                        string
}

var (
	weekdays = []string{"Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"}
	months   = []string{"January", "February", "March", "April", "May", "June", "July", "August", "September",
		"October", "November", "December"}
)

//lint:ignore ST1005 the text is part of results: it is the reference's
var errTimeField = errors.New("Cannot read properties of undefined (reading 'substring')")

// Conversions that stand for others. They are applied one after the other over the whole format, before anything
// else, so "%%c" is expanded as well: this is what the reference does, and results depend on it.
var compound = []string{
	"%c", "%a %b %d %H:%M:%S %Y", "%D", "%m/%d/%y", "%F", "%Y-%m-%d", "%h", "%b", "%r", "%I:%M:%S %p",
	"%R", "%H:%M", "%T", "%H:%M:%S", "%x", "%m/%d/%y", "%X", "%H:%M:%S",
	"%Ec", "%c", "%EC", "%C", "%Ex", "%m/%d/%y", "%EX", "%H:%M:%S", "%Ey", "%y", "%EY", "%Y",
	"%Od", "%d", "%Oe", "%e", "%OH", "%H", "%OI", "%I", "%Om", "%m", "%OM", "%M", "%OS", "%S", "%Ou", "%u",
	"%OU", "%U", "%OV", "%V", "%Ow", "%w", "%OW", "%W", "%Oy", "%y",
}

// simple are the conversions proper, in the order in which they are applied.
const simple = "aAbBCdegGHIjmMnpStuUVwWyYzZ"

// strftime formats t. The error is what the reference throws for a weekday or month that does not exist.
func strftime(format string, t brokenTime) (string, error) {
	for i := 0; i < len(compound); i += 2 {
		format = strings.ReplaceAll(format, compound[i], compound[i+1])
	}
	format = strings.ReplaceAll(format, "%%", "\x00\x00")
	for _, c := range simple {
		rule := "%" + string(c)
		if !strings.Contains(format, rule) {
			continue
		}
		text, err := t.convert(c)
		if err != nil {
			return "", err
		}
		format = strings.ReplaceAll(format, rule, text)
	}
	return strings.ReplaceAll(format, "\x00\x00", "%"), nil
}

func (t brokenTime) convert(c rune) (string, error) {
	switch c {
	case 'a', 'A':
		if t.wday < 0 || t.wday >= len(weekdays) {
			if c == 'A' {
				return "undefined", nil
			}
			return "", errTimeField
		}
		if c == 'a' {
			return weekdays[t.wday][:3], nil
		}
		return weekdays[t.wday], nil
	case 'b', 'B':
		if t.mon < 0 || t.mon >= len(months) {
			if c == 'B' {
				return "undefined", nil
			}
			return "", errTimeField
		}
		if c == 'b' {
			return months[t.mon][:3], nil
		}
		return months[t.mon], nil
	case 'C':
		return pad((t.year+1900)/100, 2, '0'), nil
	case 'd':
		return pad(t.mday, 2, '0'), nil
	case 'e':
		return pad(t.mday, 2, ' '), nil
	case 'g':
		return tail(strconv.Itoa(t.weekYear())), nil
	case 'G':
		return strconv.Itoa(t.weekYear()), nil
	case 'H':
		return pad(t.hour, 2, '0'), nil
	case 'I':
		h := t.hour
		if h == 0 {
			h = 12
		} else if h > 12 {
			h -= 12
		}
		return pad(h, 2, '0'), nil
	case 'j':
		days := t.mday
		for m := 0; m < t.mon && m < 12; m++ {
			days += monthDays(t.year+1900, m)
		}
		return pad(days, 3, '0'), nil
	case 'm':
		return pad(t.mon+1, 2, '0'), nil
	case 'M':
		return pad(t.min, 2, '0'), nil
	case 'n':
		return "\n", nil
	case 'p':
		if t.hour >= 0 && t.hour < 12 {
			return "AM", nil
		}
		return "PM", nil
	case 'S':
		return pad(t.sec, 2, '0'), nil
	case 't':
		return "\t", nil
	case 'u':
		if t.wday == 0 {
			return "7", nil
		}
		return strconv.Itoa(t.wday), nil
	case 'U':
		return pad(int(floorDiv(int64(t.yday+7-t.wday), 7)), 2, '0'), nil
	case 'V':
		return pad(t.isoWeek(), 2, '0'), nil
	case 'w':
		return strconv.Itoa(t.wday), nil
	case 'W':
		return pad(int(floorDiv(int64(t.yday+7-(t.wday+6)%7), 7)), 2, '0'), nil
	case 'y':
		return tail(strconv.Itoa(t.year + 1900)), nil
	case 'Y':
		return strconv.Itoa(t.year + 1900), nil
	case 'z':
		return t.offset(), nil
	}
	return t.zone, nil
}

// isoWeek is the week of the ISO 8601 calendar, with the reference's own idea of leap years: it asks for the year
// counted from 1900.
func (t brokenTime) isoWeek() int {
	week := int(floorDiv(int64(t.yday+7-(t.wday+6)%7), 7))
	if (t.wday+371-t.yday-2)%7 <= 2 {
		week++
	}
	if week == 0 {
		week = 52
		dec31 := (t.wday + 7 - t.yday - 1) % 7
		if dec31 == 4 || dec31 == 5 && leap(t.year%400-1) {
			week++
		}
	} else if week == 53 {
		jan1 := (t.wday + 371 - t.yday) % 7
		if jan1 != 4 && (jan1 != 3 || !leap(t.year)) {
			week = 1
		}
	}
	return week
}

// weekYear is the year that the ISO week belongs to.
func (t brokenTime) weekYear() int {
	year := t.year + 1900
	if year >= 0 && year <= 99 {
		year += 1900
	}
	day := time.Date(year, 1, 1, 0, 0, 0, 0, time.UTC).AddDate(0, 0, max(t.yday, 0))
	y := day.Year()
	if day.Before(firstWeek(y)) {
		return y - 1
	}
	if !day.Before(firstWeek(y + 1)) {
		return y + 1
	}
	return y
}

// firstWeek is the Monday of the week with the fourth of January.
func firstWeek(year int) time.Time {
	fourth := time.Date(year, 1, 4, 0, 0, 0, 0, time.UTC)
	return fourth.AddDate(0, 0, -(int(fourth.Weekday())+6)%7)
}

func (t brokenTime) offset() string {
	sign := "+"
	minutes := float64(t.gmtoff) / 60
	if t.gmtoff < 0 {
		sign, minutes = "-", -minutes
	}
	v := minutes/60*100 + math.Mod(minutes, 60)
	s := "0000" + strconv.FormatFloat(v, 'f', -1, 64)
	return sign + s[len(s)-4:]
}

func pad(v, digits int, with byte) string {
	s := strconv.Itoa(v)
	for len(s) < digits {
		s = string(with) + s
	}
	return s
}

func tail(s string) string {
	if len(s) < 2 {
		return ""
	}
	return s[2:]
}

func leap(year int) bool { return year%4 == 0 && (year%100 != 0 || year%400 == 0) }

func monthDays(year, month int) int {
	if month == 1 && leap(year) {
		return 29
	}
	return [12]int{31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31}[month]
}
