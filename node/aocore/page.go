package aocore

import (
	"html"
	"net/http"
	"strconv"

	"ago/codec/httpsig"
	"ago/device"
	"ago/message"
)

// page shows an error to people.
func page(status int, m message.Message) *answer {
	body := "<!doctype html><meta charset=utf-8><title>" + strconv.Itoa(status) + " " + http.StatusText(status) + "</title>\n<h1>" + strconv.Itoa(status) + " " + http.StatusText(status) + "</h1>\n<dl>\n"
	for _, key := range []string{"reason", "details", "code", "request-id"} {
		if v, ok := m.Get(key); ok {
			text, _ := device.Text(v)
			body += "<dt>" + key + "<dd>" + html.EscapeString(text) + "\n"
		}
	}
	body += "</dl>\n"
	return answerOf(status, httpsig.Wire{
		Headers: []message.Header{{Name: "content-type", Value: "text/html; charset=utf-8"}, {Name: "x-content-type-options", Value: "nosniff"}},
		Body:    []byte(body),
	})
}
