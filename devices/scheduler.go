package devices

import (
	"slices"

	"ago/codec/ans104"
	"ago/commitment"
	"ago/device"
	"ago/fault"
	"ago/message"
	"ago/process"
	"ago/slotlog"
)

var _ = device.Register(device.Device{
	Name: process.DeviceScheduler,
	Doc:  "Gives each message of a process the next slot, once and for ever, and reads the slots that were given.",
	Keys: device.Keys{
		"schedule": {Doc: "POST gives a signed message the next slot and answers the assignment; GET lists assignments", Do: schedulerSchedule,
			Inputs: []device.Input{
				{Name: "subject", Doc: "the message to schedule: base, self (the request), or the key that holds it; body or else the request is the default", Type: device.TypeText, Max: messageKeyMax},
				{Name: "from", Doc: "the first slot to list; 0 is the default"},
				{Name: "to", Doc: "the last slot to list; at most 1000 are given at once"},
				{Name: "hint", Doc: "the address of a node that has the process, if none is known here; it may also stand behind its id: <id>?hint=<url>", Type: device.TypeText, Max: 2048},
			}},
		"slot":   {Doc: "the newest slot of a process as current, -1 if there is none, with the newest block and the time of it (seconds)", Do: schedulerSlot},
		"next":   {Doc: "the assignment of the slot after at-slot of a state, under body, and the state; 404 if it is not given yet", Do: schedulerNext},
		"status": {Doc: "the address of the scheduler and its processes, at most 1000", Do: schedulerStatus},
		"location": {Doc: "GET gives the signed record of where a scheduler answers; POST keeps a signed one", Do: schedulerLocation,
			Inputs: []device.Input{{Name: "address", Doc: "of the scheduler; the node's own is the default", Type: device.TypeText, Max: message.IDLength}}},
		"record":          {Doc: "another name of location", Do: schedulerLocation},
		"register":        {Doc: "another name of location", Do: schedulerLocation},
		"init":            {Doc: "the state as it is", Do: schedulerSame},
		"checkpoint":      {Doc: "the state as it is", Do: schedulerSame},
		"end-of-schedule": {Doc: "the state as it is", Do: schedulerSame},
	},
})

const schedulerPageMax = 1000

func schedulerSame(_ *device.Call, base, _ message.Message) (message.Value, error) { return base, nil }

func schedulerSchedule(c *device.Call, base, req message.Message) (message.Value, error) {
	if req.Text("method") == "POST" {
		return schedulerPost(c, base, req)
	}
	return schedulerGet(c, base, req)
}

// schedulerProcess tells which process is meant: that of the base, or the request's target.
func schedulerProcess(c *device.Call, s Scheduler, base, req message.Message) (message.ID, error) {
	if p, err := processID(base); err == nil {
		if _, err := s.Process(c, p); err == nil || !device.IsNotFound(err) {
			return p, err
		}
	}
	for _, m := range []message.Message{req, base} {
		for _, key := range []string{"target", "process"} {
			if text := m.Text(key); len(text) >= message.IDLength {
				return schedulerNamed(c, text, m.Text("hint"))
			}
		}
	}
	// The whole request may be the message, and say whom it is for in its body.
	if v, ok := req.Get(message.KeyBody); ok {
		if body, ok := v.(message.Message); ok && len(body.Text("target")) >= message.IDLength {
			return schedulerNamed(c, body.Text("target"), "")
		}
	}
	return message.ID{}, fault.New(fault.NotFound, "process-unknown", "the request names no process").
		WithHint("begin the path with its id, or give target=<id>")
}

// schedulerNamed is the process of a text, after whose id a hint where it is may follow. In a query the hint is a key of its own.
func schedulerNamed(c *device.Call, text, hint string) (message.ID, error) {
	p, err := message.ParseID(text[:message.IDLength])
	if err != nil {
		return p, fault.New(fault.NotFound, "process-unknown", "no process has the id %.50q", text[:message.IDLength]).
			WithHint("an id is 43 letters of base64url, whose case counts")
	}
	if hint != "" {
		text = p.String() + "?hint=" + hint
	}
	schedulerHint(c, p, text)
	return p, nil
}

// schedulerHint notes what stands behind the id of a process.
func schedulerHint(c *device.Call, p message.ID, text string) {
	if places, ok := device.Service[Locations](c); ok && len(text) > message.IDLength {
		places.Hint(p, text)
	}
}

// isSigned tells whether somebody is said to have signed a message: in its commitments, or as the data item that it came as.
func isSigned(m message.Message) bool {
	_, item := ans104.ItemOf(m)
	return item || len(m.Committers()) > 0
}

// schedulerSubject gives the message to schedule. The request itself is taken as it came: what was added on the way is not signed.
func schedulerSubject(c *device.Call, base, req message.Message) (message.Message, error) {
	itself := c.Origin
	if !isSigned(itself) && isSigned(req) {
		itself = req
	}
	switch subject := req.Text("subject"); subject {
	case "self":
		return itself, nil
	case "base":
		return base, nil
	case "":
		v, _ := req.Get(message.KeyBody)
		if m, ok := v.(message.Message); ok && isSigned(m) {
			return m, nil
		}
		if link, ok := v.(message.Link); ok {
			if m, err := c.Message(link); err == nil && isSigned(m) {
				return m, nil
			}
		}
		return itself, nil
	default:
		v, ok := messageFind(req, subject)
		if !ok {
			return message.Message{}, device.Absent(subject)
		}
		return c.Message(v)
	}
}

// schedulerRefusal is an answer with a status and a text, as clients look for it.
// schedulerInvalid refuses a message that has no right to a slot.
func schedulerInvalid(reason, code string) error {
	return device.End(device.Failed, message.New(
		message.Field{Key: "status", Value: message.Int(device.Failed)}, message.Field{Key: message.KeyBody, Value: message.Bytes("Message is not valid.")},
		message.Field{Key: "code", Value: message.Bytes(code)}, message.Field{Key: "reason", Value: message.Bytes(reason)},
		message.Field{Key: "details", Value: message.Bytes("sign the message, all of it, and send it as it was signed")}))
}

// schedulerLegacy refuses an HTTP message for a process of the legacy network.
func schedulerLegacy() error {
	return refused(422, "Process resides on legacy scheduler. Message must be signed with ANS-104.", "legacy-scheduler", "send the message as a signed data item")
}

func schedulerPost(c *device.Call, base, req message.Message) (message.Value, error) {
	s, err := schedulerOf(c)
	if err != nil {
		return nil, err
	}
	m, err := schedulerSubject(c, base, req)
	if err != nil {
		return nil, err
	}
	if !isSigned(m) {
		return nil, schedulerInvalid("Given message is invalid.", "message-unsigned")
	}
	v, err := verified(c, m)
	if err != nil {
		return nil, schedulerInvalid(err.Error(), fault.CodeOf(err))
	}
	var p message.ID
	if target := m.Text("target"); len(target) > message.IDLength {
		if named, err := message.ParseID(target[:message.IDLength]); err == nil {
			schedulerHint(c, named, target)
		}
	}
	if !process.IsDefinition(m) && m.Text("target") == "" {
		if p, err = schedulerProcess(c, s, base, req); err != nil {
			return nil, err
		}
	}
	return schedulerSubmit(c, s, p, v)
}

// schedulerSubmit schedules and answers the assignment, or tells who does.
func schedulerSubmit(c *device.Call, s Scheduler, p message.ID, v commitment.Verified) (message.Value, error) {
	got, err := s.SubmitTo(c, p, v)
	switch fault.CodeOf(err) {
	case "scheduler-is-another":
		if def, derr := process.Define(v.Message()); derr == nil {
			return schedulerElsewhere(c, def.ID, v, def.Schedulers, err)
		}
	case "process-followed":
		if p.IsZero() {
			if p, _ = message.ParseID(v.Message().Text("target")[:min(len(v.Message().Text("target")), message.IDLength)]); p.IsZero() {
				return nil, err
			}
		}
		if def, derr := s.Process(c, p); derr == nil {
			return schedulerElsewhere(c, p, v, def.Schedulers, err)
		}
	case "legacy-scheduler":
		return nil, schedulerLegacy()
	}
	if err != nil {
		return nil, err
	}
	return s.Assignment(c, got.Process, got.Slot)
}

// schedulerElsewhere brings a message to a scheduler of its process, or sends the client there if the node is set to.
func schedulerElsewhere(c *device.Call, p message.ID, v commitment.Verified, addresses []string, cause error) (message.Value, error) {
	set, isSet := c.Option("scheduler_follow_redirects")
	follow, isFlag := device.Flag(set)
	if to, ok := device.Service[Forwarder](c); ok && (!isSet || !isFlag || follow) {
		m, err := to.Forward(c, p, v)
		switch {
		case err == nil:
			return m, nil
		case fault.CodeOf(err) == "legacy-scheduler":
			return nil, schedulerLegacy()
		case device.IsNotFound(err):
			return nil, cause
		}
		return nil, err
	}
	return nil, schedulerRedirect(c, addresses, cause)
}

// schedulerRedirect names the first of the schedulers whose place is known.
func schedulerRedirect(c *device.Call, addresses []string, cause error) error {
	places, ok := device.Service[Locations](c)
	if !ok {
		return cause
	}
	for _, address := range addresses {
		record, err := places.Record(c, address)
		if device.IsNotFound(err) {
			continue
		}
		if err != nil {
			return err
		}
		url, variant := record.Text("url"), record.Text("variant")
		if variant == "" {
			variant = process.VariantCore
		}
		return device.End(307, message.New(
			message.Field{Key: "status", Value: message.Int(307)},
			message.Field{Key: "location", Value: message.Bytes(url)},
			message.Field{Key: "variant", Value: message.Bytes(variant)},
			message.Field{Key: "body", Value: message.Bytes("Redirecting to scheduler: " + url)}))
	}
	return cause
}

func schedulerGet(c *device.Call, base, req message.Message) (message.Value, error) {
	s, err := schedulerOf(c)
	if err != nil {
		return nil, err
	}
	p, err := schedulerProcess(c, s, base, req)
	if err != nil {
		return nil, err
	}
	number := func(key string, absent int64) slotlog.Slot {
		if v, ok := req.Get(key); ok {
			if n, ok := device.Whole(v); ok {
				absent = n
			}
		}
		return slotlog.Slot(max(absent, 0))
	}
	from := number("from", 0)
	page, err := s.Page(c, p, from, number("to", int64(from)+schedulerPageMax-1))
	if err != nil {
		return nil, err
	}
	if accept := req.Text("accept"); accept == "application/aos-2" || req.Text("format") == "application/aos-2" {
		return message.New(
			message.Field{Key: message.KeyContentType, Value: message.Bytes("application/json")},
			message.Field{Key: message.KeyBody, Value: message.Bytes(page.JSON())}), nil
	}
	return page.Message(), nil
}

func schedulerSlot(c *device.Call, base, req message.Message) (message.Value, error) {
	s, err := schedulerOf(c)
	if err != nil {
		return nil, err
	}
	p, err := schedulerProcess(c, s, base, req)
	if err != nil {
		return nil, err
	}
	head, err := s.Head(c, p)
	if err != nil {
		return nil, err
	}
	height, hash, at := s.Tip()
	return message.New(
		message.Field{Key: "process", Value: message.Bytes(p.String())},
		message.Field{Key: "current", Value: message.Int(int64(head.Next) - 1)},
		message.Field{Key: "timestamp", Value: message.Int(at / 1000)},
		message.Field{Key: "block-height", Value: message.Int(int64(height))},
		message.Field{Key: "block-hash", Value: message.Bytes(hash.String())},
		message.Field{Key: "cache-control", Value: message.Bytes("no-store")},
		message.Field{Key: "addresses", Value: message.List{message.Bytes(s.Address().String())}}), nil
}

func schedulerNext(c *device.Call, base, _ message.Message) (message.Value, error) {
	s, err := schedulerOf(c)
	if err != nil {
		return nil, err
	}
	p, err := processID(base)
	if err != nil {
		return nil, err
	}
	at := int64(-1)
	if v, ok := base.Get("at-slot"); ok {
		if at, ok = device.Whole(v); !ok || at < -1 {
			return nil, fault.New(fault.Malformed, "slot-malformed", "at-slot of the state is no slot")
		}
	}
	assignment, err := s.Assignment(c, p, slotlog.Slot(at+1))
	if device.IsNotFound(err) {
		return nil, refused(device.NotFound, "Requested slot not yet available in schedule.", "slot-unknown", "wait for the slot: /slot/current tells the newest")
	}
	if err != nil {
		return nil, err
	}
	return message.New(message.Field{Key: message.KeyBody, Value: assignment}, message.Field{Key: "state", Value: base}), nil
}

func schedulerStatus(c *device.Call, _, _ message.Message) (message.Value, error) {
	s, err := schedulerOf(c)
	if err != nil {
		return nil, err
	}
	list := message.List{}
	for p, err := range s.Processes(c, message.ID{}) {
		if err != nil {
			return nil, err
		}
		if list = append(list, message.Bytes(p.String())); len(list) == schedulerPageMax {
			break
		}
	}
	return message.New(
		message.Field{Key: "address", Value: message.Bytes(s.Address().String())},
		message.Field{Key: "processes", Value: list},
		message.Field{Key: "cache-control", Value: message.Bytes("no-store")}), nil
}

func schedulerLocation(c *device.Call, base, req message.Message) (message.Value, error) {
	places, err := unit[Locations](c, "list of schedulers")
	if err != nil {
		return nil, err
	}
	if req.Text("method") == "POST" {
		m, err := schedulerSubject(c, base, req)
		if err != nil {
			return nil, err
		}
		if signers, err := c.Signers(m); err != nil || len(signers) == 0 {
			return nil, schedulerInvalid("Given message is invalid.", "message-unsigned")
		}
		record := m.OnlyCommitted()
		if m.Text("type") == "" { // the operator has the node sign where it answers
			ask, err := signedAsk(c, req)
			if err != nil {
				return nil, err
			}
			if !ask.byOperator(c) {
				return nil, refused(device.Forbidden, "Only the operator of the node says where it answers.", "operator-only", "sign the request with the key of the node's operator")
			}
			if err := ask.here(c); err != nil {
				return nil, err
			}
			return places.Announce(c, ask.message.Text("url"))
		}
		kinds := []string{"scheduler-location", "Scheduler-Location", "location"}
		if !slices.Contains(kinds, record.Text("type")) || record.Text("url") == "" {
			return nil, fault.New(fault.Malformed, "location-malformed", "a record of a location has the type scheduler-location and a url")
		}
		return record, places.Put(c, record)
	}
	address := req.Text("address")
	if address == "" {
		s, err := schedulerOf(c)
		if err != nil {
			return nil, err
		}
		address = s.Address().String()
	}
	record, err := places.Record(c, address)
	if device.IsNotFound(err) {
		return nil, refused(device.NotFound, "No location found for address: "+address, "location-unknown", "send the record that the scheduler signed, or name its node as a peer")
	}
	if err != nil {
		return nil, err
	}
	return message.New(message.Field{Key: message.KeyBody, Value: record}), nil
}
