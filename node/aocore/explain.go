package aocore

import (
	"ago/device"
	"ago/fault"
	"ago/message"
	"ago/resolve"
)

// headerExplain asks for what was done for a request beside its answer: any value but "" and "false" does.
const headerExplain = "ao-explain"

// explained writes what was done for a request, and what it gave: {stages, status, body}, or {stages, status, code, reason} for one
// that failed. The status of HTTP is that of the request.
func (q *request) explained(e *resolve.Explanation, res device.Result, err error) (*answer, error) {
	fs := []message.Field{{Key: "stages", Value: e.Message()}}
	status := device.StatusOf(err)
	if err == nil {
		if res, err = q.heard(res); err != nil {
			return nil, err
		}
		status = device.Status(device.HTTPStatus(res.Value, device.End(res.Status, nil)))
		if res.Value != nil {
			fs = append(fs, message.Field{Key: message.KeyBody, Value: res.Value})
		}
	} else {
		fs = append(fs, message.Field{Key: "code", Value: message.Bytes(fault.CodeOf(err))}, message.Field{Key: "reason", Value: message.Bytes(reasonOf(err))})
	}
	fs = append(fs, message.Field{Key: keyStatus, Value: message.Int(status)})
	return q.encode(q.r, device.Result{Value: message.New(fs...), Status: status}, q.wants)
}
