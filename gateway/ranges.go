package gateway

import (
	"net/http"
	"strconv"
	"strings"
	"time"

	"ago/store"
)

// serveContent answers a range that is behind the end with nothing: readers who go on until nothing comes, as the drive of
// a process does, would take a sentence about it for data.
func serveContent(w http.ResponseWriter, r *http.Request, b store.Blob) {
	if asked := r.Header.Get("Range"); asked != "" {
		w = &rangeWriter{ResponseWriter: w, size: b.Size()}
		r = r.Clone(r.Context())
		if ranges := readRanges(asked); ranges != "" {
			r.Header.Set("Range", ranges)
		} else {
			r.Header.Del("Range")
		}
	}
	http.ServeContent(w, r, "", time.Time{}, b)
}

const (
	rangesMax = 64 // ranges of one request; more are no reader's wish
	// farDigits is the length up to which a position is passed on. What is longer, and may be more than a number can hold, is
	// behind the end of everything just as beyond is.
	farDigits = 18
	beyond    = "999999999999999999"
)

// readRanges writes a Range header in the form that the standard library reads as meant. It gives nothing for one that is to
// be ignored: another unit than bytes; too many ranges; or one whose end lies before its start, which the drive of a process
// sends after it looked for the end of a file, and counts on getting everything.
func readRanges(asked string) string {
	unit, list, ok := strings.Cut(asked, "=")
	if !ok || !strings.EqualFold(strings.TrimSpace(unit), "bytes") || strings.Count(list, ",") >= rangesMax {
		return ""
	}
	ranges := strings.Split(list, ",")
	for i, text := range ranges {
		first, last, ok := strings.Cut(strings.TrimSpace(text), "-")
		first, firstOK := position(first)
		last, lastOK := position(last)
		switch {
		case !ok || !firstOK || !lastOK:
			continue // refused as it is
		case first == "" && last == "0":
			first, last = beyond, "" // the last 0 bytes are none
		case first != "" && last != "" && before(last, first):
			return ""
		}
		ranges[i] = first + "-" + last
	}
	return "bytes=" + strings.Join(ranges, ",")
}

// position gives the digits of a position without zeros in front; there may be none.
func position(text string) (string, bool) {
	text = strings.TrimSpace(text)
	for i := range len(text) {
		if text[i] < '0' || text[i] > '9' {
			return "", false
		}
	}
	if short := strings.TrimLeft(text, "0"); short != "" || text == "" {
		text = short
	} else {
		text = "0"
	}
	if len(text) > farDigits {
		return beyond, true
	}
	return text, true
}

// before compares two positions.
func before(a, b string) bool {
	return len(a) < len(b) || len(a) == len(b) && a < b
}

type rangeWriter struct {
	http.ResponseWriter
	size   int64
	behind bool
}

func (w *rangeWriter) WriteHeader(status int) {
	if w.behind = status == http.StatusRequestedRangeNotSatisfiable; w.behind {
		w.Header().Del("Content-Type")
		w.Header().Set("Content-Length", "0")
		w.Header().Set("Content-Range", "bytes */"+strconv.FormatInt(w.size, 10))
	}
	w.ResponseWriter.WriteHeader(status)
}

func (w *rangeWriter) Write(b []byte) (int, error) {
	if w.behind {
		return len(b), nil
	}
	return w.ResponseWriter.Write(b)
}
