package main

import (
	"bytes"
	"strings"
	"testing"
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
