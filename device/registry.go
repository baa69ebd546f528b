package device

import (
	"fmt"
	"slices"
	"sync"
)

// registered is filled before main and never changes afterwards: nodes choose from it.
var registered = struct {
	sync.Mutex
	by map[string]*Device
}{by: map[string]*Device{}}

// Register brings a device; it is called while packages are loaded: var _ = device.Register(...). It panics on a name that is
// taken and on what lacks documentation.
func Register(d Device) struct{} {
	d.prepare()
	registered.Lock()
	defer registered.Unlock()
	for _, name := range append([]string{d.Name}, d.Aliases...) {
		if _, taken := registered.by[name]; taken {
			panic(fmt.Sprintf("device: two are named %q", name))
		}
		registered.by[name] = &d
	}
	return struct{}{}
}

// Registry is what one node has of devices. It never changes.
type Registry struct {
	by    map[string]*Device
	names []string
}

// All is every device that was registered.
func All() *Registry {
	registered.Lock()
	defer registered.Unlock()
	r := &Registry{by: make(map[string]*Device, len(registered.by))}
	for name, d := range registered.by {
		r.add(name, d)
	}
	return r.sorted()
}

// NewRegistry makes a registry of these devices alone, for tests and for nodes that bring their own. It panics as Register does.
func NewRegistry(devices ...Device) *Registry {
	r := &Registry{by: map[string]*Device{}}
	for i := range devices {
		d := devices[i]
		d.prepare()
		for _, name := range append([]string{d.Name}, d.Aliases...) {
			if _, taken := r.by[name]; taken {
				panic(fmt.Sprintf("device: two are named %q", name))
			}
			r.add(name, &d)
		}
	}
	return r.sorted()
}

// Only narrows a registry to the devices named; Default stays, since every message needs it. It fails on a name that is not
// known.
func (r *Registry) Only(names ...string) (*Registry, error) {
	out := &Registry{by: map[string]*Device{}}
	for _, name := range append([]string{Default}, names...) {
		d, ok := r.by[name]
		if !ok {
			return nil, fmt.Errorf("no device is named %.60q; known are %v", name, r.names)
		}
		for _, n := range append([]string{d.Name}, d.Aliases...) {
			if _, there := out.by[n]; !there {
				out.add(n, d)
			}
		}
	}
	return out.sorted(), nil
}

// With gives the registry with the devices of another added; of two with one name the other's counts.
func (r *Registry) With(other *Registry) *Registry {
	out := &Registry{by: make(map[string]*Device, len(r.by)+len(other.by))}
	for _, from := range []*Registry{r, other} {
		for name, d := range from.by {
			out.by[name] = d
		}
	}
	for name, d := range out.by {
		if name == d.Name {
			out.names = append(out.names, name)
		}
	}
	return out.sorted()
}

// Find gives a device by its name or an alias.
func (r *Registry) Find(name string) (*Device, bool) {
	d, ok := r.by[name]
	return d, ok
}

// Names lists the devices in order, without aliases.
func (r *Registry) Names() []string { return slices.Clone(r.names) }

func (r *Registry) add(name string, d *Device) {
	r.by[name] = d
	if name == d.Name {
		r.names = append(r.names, name)
	}
}

func (r *Registry) sorted() *Registry {
	slices.Sort(r.names)
	return r
}
