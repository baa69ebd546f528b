package resolve_test

import (
	"strings"
	"testing"

	"ago/device"
	"ago/device/devicetest"
	"ago/message"
	"ago/resolve"
)

// The suite of devices stands on a resolver, so that it is tested here: each rule is broken once.
func TestTheSuiteOfDevicesFindsWhatIsWrong(t *testing.T) {
	list := message.List{message.Int(1)}
	count := 0
	good := device.Device{Name: "rule@1.0", Doc: "is for tests", Keys: device.Keys{"a": {Doc: "an a",
		Inputs: []device.Input{{Name: "x", Doc: "anything"}},
		Do:     func(*device.Call, message.Message, message.Message) (message.Value, error) { return text("a"), nil }}},
		Examples: []device.Example{{Path: "/~rule@1.0/a", Want: "a"}}}
	does := func(do device.Func) func(*device.Device) {
		return func(d *device.Device) {
			k := d.Keys["a"]
			k.Do = do
			d.Keys = device.Keys{"a": k}
		}
	}
	for want, change := range map[string]func(*device.Device){
		"":                     func(*device.Device) {},
		"at least one example": func(d *device.Device) { d.Examples = nil },
		"the example says b":   func(d *device.Device) { d.Examples = []device.Example{{Path: "/~rule@1.0/a", Want: "b"}} },
		"not with NotFound":    func(d *device.Device) { d.Keys["no-such-key"] = d.Keys["a"] },
		"changes what it is given": does(func(_ *device.Call, base, _ message.Message) (message.Value, error) {
			v, _ := base.Get("list")
			if l, ok := v.(message.List); ok {
				l[0] = message.Int(int64(count))
				count++
			}
			return text("a"), nil
		}),
		"defect of the node": does(func(_ *device.Call, _, req message.Message) (message.Value, error) {
			if _, ok := req.Get("x"); ok {
				panic("defect")
			}
			return text("a"), nil
		}),
		"a answers": does(func(_ *device.Call, base, _ message.Message) (message.Value, error) {
			if base.Len() < 2 {
				return text("a"), nil
			}
			count++
			return message.Int(count), nil
		}),
	} {
		d := good
		d.Keys = device.Keys{"a": good.Keys["a"]}
		change(&d)
		registry := device.All().With(device.NewRegistry(d))
		registered, _ := registry.Find("rule@1.0")
		problems := devicetest.Subject{Device: registered, Node: &device.Node{Registry: registry},
			Runner: func(n *device.Node) device.Runner { return resolve.New(n, resolve.Limits{}) },
			Bases:  []message.Message{of("list", list)}}.Problems(t.Context())
		if got := strings.Join(problems, "\n"); want == "" && got != "" || !strings.Contains(got, want) {
			t.Errorf("found %q, want %q", got, want)
		}
	}
}
