package devices_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"ago/device"
	"ago/device/devicetest"
	"ago/resolve"
)

const pages = "../docs/devices"

// Every device has its page in the documentation, which is written from what the device says of itself.
func TestEveryDeviceHasItsPage(t *testing.T) {
	all := device.All()
	for _, name := range all.Names() {
		d, _ := all.Find(name)
		path, want := filepath.Join(pages, name+".md"), d.Markdown()
		if os.Getenv("AGO_WRITE") == "1" {
			if err := os.WriteFile(path, []byte(want), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		if got, err := os.ReadFile(path); err != nil || string(got) != want {
			t.Errorf("%s does not say what %s does: run AGO_WRITE=1 go test ./devices -run Page (%v)", path, name, err)
		}
	}
	files, err := filepath.Glob(filepath.Join(pages, "*.md"))
	if err != nil || len(files) < len(all.Names()) {
		t.Fatal(files, err)
	}
	for _, f := range files {
		name := filepath.Base(f)
		if _, ok := all.Find(name[:len(name)-len(".md")]); !ok {
			t.Errorf("%s is the page of no device", f)
		}
	}
}

// The list of devices is written from the registry.
func TestTheListOfDevicesIsCurrent(t *testing.T) {
	const path = "../docs/devices.md"
	want := "# Devices\n\nWhat a node brings. [Paths](paths.md) tells how devices are asked, and how to add one.\n\n" +
		strings.ReplaceAll(device.All().Markdown(), "](", "](devices/")
	if os.Getenv("AGO_WRITE") == "1" {
		if err := os.WriteFile(path, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if got, err := os.ReadFile(path); err != nil || string(got) != want {
		t.Errorf("%s does not list the devices: run AGO_WRITE=1 go test ./devices (%v)", path, err)
	}
}

// The page about paths shows requests with their answers: both are run.
func TestThePageAboutPathsIsTrue(t *testing.T) {
	page, err := os.ReadFile("../docs/paths.md")
	if err != nil {
		t.Fatal(err)
	}
	r := resolve.New(&device.Node{Registry: device.All()}, resolve.Limits{})
	lines, shown := strings.Split(string(page), "\n"), 0
	for i, line := range lines {
		path, ok := strings.CutPrefix(line, "    GET ")
		if !ok {
			continue
		}
		shown++
		res, err := r.Resolve(t.Context(), resolve.Request{Path: path})
		if got, want := devicetest.Show(res.Value), strings.TrimSpace(lines[i+1]); err != nil || got != want {
			t.Errorf("%s\n got %s (%v)\nwant %s", path, got, err, want)
		}
	}
	if shown < 8 {
		t.Errorf("only %d requests are shown", shown)
	}
}
