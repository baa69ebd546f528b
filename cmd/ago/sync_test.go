package main

import (
	"bytes"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"ago/node"
)

// TestWhatCannotBeMovedIsRefused: the commands say what is wrong, and the data of a node hands nothing over.
func TestWhatCannotBeMovedIsRefused(t *testing.T) {
	const process = "ISShJH1ij-hPPt9St5UFFr_8Ys3Kj5cyg7zrMGt7H9s"
	ofNode, ofScheduler, folder := t.TempDir(), t.TempDir(), t.TempDir()
	for _, c := range []struct {
		code string
		args []string
	}{
		{"data-absent", []string{"export", process, folder + "/a", "--data", folder + "/none"}},
		{"export-unreadable", []string{"import", folder, "--data", ofNode}}, // from here on it is data of a node
		{"process-unknown", []string{"export", process, folder + "/a", "--data", ofNode}},
		{"hand-over-unsupported", []string{"export", process, folder + "/a", "--data", ofNode, "--hand-over", "http://su2"}},
		{"data-of-a-node", []string{"import", folder, "--data", ofNode, "--for-su"}},
		{"export-unreadable", []string{"import", folder, "--data", ofScheduler, "--for-su", "--continue"}},
		{"settings-malformed", []string{"export", process, folder + "/a", "--data", ofScheduler, "--hand-over", "su2"}},
		{"process-unknown", []string{"export", process, folder + "/a", "--data", ofScheduler, "--hand-over", "http://su2"}},
		{"process-unknown", []string{"adopt", process, "--data", ofScheduler}},
	} {
		var stdout, stderr bytes.Buffer
		code := run(append(c.args, "-o", "json", "--cache", t.TempDir()), strings.NewReader(""), &stdout, &stderr)
		if code == exitDone || !strings.Contains(stderr.String(), `"code":"`+c.code+`"`) {
			t.Errorf("%v: exit code %d, %s%s", c.args, code, &stdout, &stderr)
		}
	}
}

// TestSyncEndsWithTheReason: nothing that answers, a page of HTML and a scheduler without the process are told, and --once ends.
func TestSyncEndsWithTheReason(t *testing.T) {
	t.Parallel()
	const process = "ISShJH1ij-hPPt9St5UFFr_8Ys3Kj5cyg7zrMGt7H9s"
	gone := httptest.NewServer(nil)
	gone.Close()
	page := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		io.WriteString(w, "<!DOCTYPE html><html><body>Welcome</body></html>")
	}))
	t.Cleanup(page.Close)
	unknown := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusNotFound)
		io.WriteString(w, `{"error":"Process not found"}`)
	}))
	t.Cleanup(unknown.Close)
	for name, c := range map[string]struct{ su, want string }{
		"unreachable": {gone.URL, "connection refused"},
		"HTML":        {page.URL, "HTML"},
		"unknown":     {unknown.URL, "Process not found"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var stdout, stderr bytes.Buffer
			code := run([]string{"sync", process, "--memory", "--once", "--give-up-after", "1s", "--interval", "50ms", "--su", c.su, "--gateway-url", gone.URL, "--cache", t.TempDir()},
				strings.NewReader(""), &stdout, &stderr)
			said := stderr.String()
			if code == exitDone || !strings.Contains(said, c.want) || !strings.Contains(said, c.su+" (--su)") || !strings.Contains(said, process) {
				t.Errorf("exit code %d: %s", code, said)
			}
		})
	}
}

// TestProgressSaysWhatToDo about a slot that is refused.
func TestProgressSaysWhatToDo(t *testing.T) {
	var said strings.Builder
	progress(&said, node.Following{Evaluated: 2, Read: 2, Known: 3, Refused: "slot 2 is refused", Hint: "name it with --signer"}, node.Following{}, time.Second)
	if want := "slot 2 of 3, 2 read: slot 2 is refused (name it with --signer)\n"; said.String() != want {
		t.Errorf("said %q, want %q", said.String(), want)
	}
}
