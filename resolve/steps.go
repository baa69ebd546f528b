package resolve

import (
	"strings"

	"ago/device"
	"ago/message"
)

// first gives the next step and those after it. A path of several keys in a request is walked key by key, each with the other
// keys of the request.
func first(steps []device.Step) (device.Step, []device.Step) {
	s, rest := steps[0], steps[1:]
	if s.Target != "" || s.Sub != nil {
		return s, rest
	}
	keys := pathKeys(s.Request)
	if keys == nil {
		return s, rest
	}
	if len(keys) == 0 {
		s.Request = s.Request.Without(keyPath)
		return s, rest
	}
	walked := make([]device.Step, len(keys), len(keys)+len(rest))
	for i, key := range keys {
		walked[i] = device.Step{Request: s.Request.With(keyPath, message.Bytes(key)), Args: s.Args, By: s.By}
	}
	walked[0].As = s.As
	return walked[0], append(walked[1:], rest...)
}

// pathKeys cuts the path of a request at its slashes; nil is a path that is one key already. A path may be a list of keys.
func pathKeys(req message.Message) []string {
	v, ok := req.Get(keyPath)
	if !ok {
		return nil
	}
	keys := []string{}
	switch v := v.(type) {
	case message.List:
		for _, item := range v {
			if text, ok := device.Text(item); ok && text != "" {
				keys = append(keys, text)
			}
		}
		return keys
	case message.Bytes:
		if strings.IndexByte(string(v), '/') < 0 {
			return nil
		}
		for key := range strings.SplitSeq(string(v), "/") {
			if key != "" {
				keys = append(keys, key)
			}
		}
		return keys
	}
	text, ok := device.Text(v)
	if !ok {
		return keys
	}
	return []string{text}
}
