package settings

import (
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/url"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	"ago/commitment"
	"ago/message"
)

// set reads the text of a setting into the field. The error says what is wrong, without the name; hint says what to write.
func (s Setting) set(into *Settings, texts []string, legacy *Legacy) (err error) {
	f := reflect.ValueOf(into).Elem().Field(s.field)
	text := ""
	if len(texts) > 0 {
		text = texts[len(texts)-1]
	}
	switch {
	case legacy != nil && legacy.form == '?':
		f.SetBool(text != "")
	case legacy != nil && legacy.form == '!':
		f.SetBool(text == "false")
	case s.typ == reflect.TypeFor[time.Duration]():
		d, err := parseTime(text, s.tag.Get("legacyunit"))
		if err != nil {
			return err
		}
		f.SetInt(int64(d))
		return s.inRange(int64(d))
	case s.IsBool():
		b, ok := bools[strings.ToLower(text)]
		if !ok {
			return fmt.Errorf("is true or false, not %q", text)
		}
		f.SetBool(b)
	case s.Kind == "bytes":
		n, err := parseBytes(text)
		if err != nil {
			return err
		}
		f.SetUint(n)
		return s.inRange(int64(min(n, 1<<62)))
	case s.typ.Kind() == reflect.Int:
		n, err := strconv.ParseInt(strings.ReplaceAll(text, "_", ""), 10, 32)
		if err != nil {
			return fmt.Errorf("is a whole number, not %q", text)
		}
		f.SetInt(n)
		return s.inRange(n)
	case s.typ.Kind() == reflect.Uint64:
		n, err := strconv.ParseUint(strings.ReplaceAll(text, "_", ""), 10, 62)
		if err != nil {
			return fmt.Errorf("is a whole number, not %q", text)
		}
		f.SetUint(n)
		return s.inRange(int64(n))
	case s.typ.Kind() == reflect.Map:
		m := map[string]string{}
		if strings.TrimSpace(text) != "" {
			if err := json.Unmarshal([]byte(text), &m); err != nil {
				return fmt.Errorf("is a JSON object of texts, like {\"ID\":\"URL\"}: %w", err)
			}
		}
		for _, name := range sorted(m) {
			if checkURL(m[name]) != nil { // which is not shown: it may be anything
				return fmt.Errorf("has no address like http://127.0.0.1:4000 for %.60q", name)
			}
		}
		f.Set(reflect.ValueOf(m))
	case s.IsList():
		list, err := s.list(texts)
		if err != nil {
			return err
		}
		f.Set(reflect.ValueOf(list))
	default:
		if err := s.checkText(text); err != nil {
			return err
		}
		f.SetString(strings.TrimSpace(text))
	}
	return nil
}

var bools = map[string]bool{"true": true, "1": true, "yes": true, "on": true, "": false, "false": false, "0": false, "no": false, "off": false}

func (s Setting) inRange(n int64) error {
	if low, err := strconv.ParseInt(s.tag.Get("min"), 10, 64); err == nil && n < low {
		if s.typ == reflect.TypeFor[time.Duration]() {
			return fmt.Errorf("is a time longer than nothing")
		}
		return fmt.Errorf("is at least %d, not %d", low, n)
	}
	if high, err := strconv.ParseInt(s.tag.Get("max"), 10, 64); err == nil && n > high {
		return fmt.Errorf("is at most %d, not %d", high, n)
	}
	if n < 0 {
		return fmt.Errorf("is not below zero")
	}
	if strings.HasPrefix(s.Flag, "port") || s.Flag == "bundler-port" {
		if n > 65535 {
			return fmt.Errorf("is a port from 1 to 65535, or 0 for a free one, not %d", n)
		}
	}
	return nil
}

// list takes lists apart: at ; and, where no part can hold one, at commas, as the older units do.
func (s Setting) list(texts []string) ([]string, error) {
	out := []string{}
	for _, text := range texts {
		for part := range strings.FieldsFuncSeq(text, func(r rune) bool { return r == ';' || r == ',' && s.Kind != "module" }) {
			if part = strings.Trim(strings.TrimSpace(part), `"`); part == "" {
				continue
			}
			if err := s.checkText(part); err != nil {
				return nil, err
			}
			if s.Kind == "url" {
				part = strings.TrimRight(part, "/")
			}
			out = append(out, part)
		}
	}
	return out, nil
}

func (s Setting) checkText(text string) error {
	text = strings.TrimSpace(text)
	switch {
	case text == "":
	case s.Kind == "url":
		return checkURL(text)
	case s.Kind == "dburl" && strings.Contains(text, "://"):
		if !IsPostgres(text) {
			return fmt.Errorf("is postgres://USER:PASSWORD@HOST/DATABASE, or a plain name")
		}
	case s.Kind == "dburl" && (strings.ContainsAny(text, `/\`) || text == "." || text == ".."):
		return fmt.Errorf("is a plain name without slashes, or postgres://…, not %q", Redacted(text))
	case s.Kind == "id":
		if _, err := message.ParseID(text); err != nil {
			return fmt.Errorf("is an id of %d characters: %v", message.IDLength, err)
		}
	case s.Kind == "address" && !isAddress(text):
		return fmt.Errorf("is the address of a wallet, %d characters or 0x and 40 digits, not %q", message.IDLength, text)
	case s.Kind == "secret" && !json.Valid([]byte(text)):
		return fmt.Errorf("is a wallet as JSON (JWK); a file is named with --wallet")
	case s.Kind == "secret":
		if _, err := commitment.NewAgent().LoadJWK([]byte(text)); err != nil {
			return fmt.Errorf("is no wallet: %v", err)
		}
	case len(s.Choices) > 0 && !slices.Contains(s.Choices, text):
		return fmt.Errorf("is one of %s, not %q", strings.Join(s.Choices, ", "), text)
	}
	return nil
}

// isAddress tells addresses of wallets, in the two forms that processes see them in.
func isAddress(text string) bool {
	if digits, ok := strings.CutPrefix(text, "0x"); ok {
		_, err := hex.DecodeString(digits)
		return err == nil && len(digits) == 40
	}
	_, err := message.ParseID(text)
	return err == nil
}

// IsPostgres tells the address of a PostgreSQL database.
func IsPostgres(text string) bool {
	return strings.HasPrefix(text, "postgres://") || strings.HasPrefix(text, "postgresql://")
}

func checkURL(text string) error {
	u, err := url.Parse(text)
	if err == nil && (u.Scheme == "http" || u.Scheme == "https") && u.Host != "" {
		return nil
	}
	return fmt.Errorf("is an address like http://127.0.0.1:4000, not %q", Redacted(text))
}

// parseTime reads 500ms, 2s, 1h30m; a plain number is milliseconds, as in the older units.
func parseTime(text, unit string) (time.Duration, error) {
	text = strings.TrimSpace(text)
	if n, err := strconv.ParseInt(strings.ReplaceAll(text, "_", ""), 10, 64); err == nil {
		by := time.Millisecond
		if unit == "s" {
			by = time.Second
		}
		if n < 0 || n > int64(1<<62/by) {
			return 0, fmt.Errorf("is a time like 500ms, 2s or 1h30m, not %q", text)
		}
		return time.Duration(n) * by, nil
	}
	d, err := time.ParseDuration(text)
	if err != nil || d < 0 {
		return 0, fmt.Errorf("is a time like 500ms, 2s or 1h30m, not %q", text)
	}
	return d, nil
}

var sizes = []struct {
	suffix string
	bytes  uint64
}{{"tb", 1 << 40}, {"gb", 1 << 30}, {"mb", 1 << 20}, {"kb", 1 << 10}, {"b", 1}}

// parseBytes reads 1073741824, 1_073_741_824, 512mb or 16gb.
func parseBytes(text string) (uint64, error) {
	t := strings.ToLower(strings.ReplaceAll(strings.TrimSpace(text), "_", ""))
	t = strings.Replace(strings.Replace(t, "-", "", 1), "i", "", 1) // 1-gb as in tags, 1GiB as people write
	by := uint64(1)
	for _, s := range sizes {
		if rest, ok := strings.CutSuffix(t, s.suffix); ok {
			t, by = strings.TrimSpace(rest), s.bytes
			break
		}
	}
	n, err := strconv.ParseUint(t, 10, 63)
	if err != nil || n > 1<<62/by || strings.HasPrefix(strings.TrimSpace(text), "-") { // the dash of 1-gb is none in front
		return 0, fmt.Errorf("is a number of bytes like 1073741824, 512mb or 16gb, not %q", text)
	}
	return n * by, nil
}
