package devices

import (
	"bytes"
	"compress/gzip"
	"errors"
	"io"
	"strings"

	"ago/budget"
	"ago/device"
	"ago/fault"
	"ago/message"
)

// Gzip makes bodies smaller.
var _ = device.Register(device.Device{
	Name:         "gzip@1.0",
	Doc:          "packs the body of a message, and unpacks it",
	CacheControl: "no-store, no-cache",
	Keys: device.Keys{
		"zip":   {Doc: "the message with its body packed and content-encoding gzip; 404 without a body", Do: gzipZip},
		"unzip": {Doc: "the message with its body unpacked; as it is if content-encoding names another packing. 413 beyond 64 MiB", Do: gzipUnzip},
	},
	Examples: []device.Example{{Path: "/~gzip@1.0&body=hello/zip/~gzip@1.0/unzip/body", Want: "hello"}},
})

const (
	gzipMax      = 64 << 20  // bytes of a body unpacked: a small one may stand for any size
	gzipStep     = 256 << 10 // bytes unpacked at a time
	gzipEncoding = "content-encoding"
)

func gzipZip(c *device.Call, base, _ message.Message) (message.Value, error) {
	body, err := gzipBody(c, base)
	if err != nil {
		return nil, err
	}
	var b bytes.Buffer
	w := gzip.NewWriter(&b) // its header has no time and no name: the same body is packed the same
	_, err = io.WriteString(w, string(body))
	if err := errors.Join(err, w.Close()); err != nil {
		return nil, err
	}
	return base.With(message.KeyBody, message.Bytes(b.String())).With(gzipEncoding, message.Bytes("gzip")), nil
}

func gzipUnzip(c *device.Call, base, _ message.Message) (message.Value, error) {
	if packing := base.Text(gzipEncoding); packing != "gzip" && packing != "" {
		return base, nil
	}
	body, err := gzipBody(c, base)
	if err != nil {
		return nil, err
	}
	r, err := gzip.NewReader(bytes.NewReader([]byte(body)))
	if err != nil {
		return nil, fault.Wrap(err, fault.Malformed, "gzip-malformed", "the body is not packed by gzip")
	}
	text, err := gzipRead(c, io.LimitReader(r, gzipMax+1))
	if budget.Crowded(err) {
		return nil, err
	}
	if err != nil {
		return nil, fault.Wrap(err, fault.Malformed, "gzip-malformed", "the body cannot be unpacked")
	}
	if len(text) > gzipMax {
		return nil, fault.New(fault.TooLarge, "gzip-too-large", "the body unpacks to more than %d bytes", gzipMax)
	}
	return base.With(message.KeyBody, message.Bytes(text)).Without(gzipEncoding), nil
}

func gzipBody(c *device.Call, base message.Message) (message.Bytes, error) {
	v, ok := base.Get(message.KeyBody)
	if !ok {
		return "", device.Absent(message.KeyBody)
	}
	v, err := c.Load(v)
	if err != nil {
		return "", err
	}
	body, ok := v.(message.Bytes)
	if !ok {
		return "", fault.New(fault.Malformed, "body-malformed", "the body is a %s; bytes are packed", device.KindOf(v))
	}
	return body, nil
}

// gzipRead reads all there is, and charges for it as it grows.
func gzipRead(c *device.Call, r io.Reader) (string, error) {
	var b strings.Builder
	for {
		if err := c.Charge(func(int64) int64 { return gzipStep }); err != nil {
			return "", err
		}
		switch _, err := io.CopyN(&b, r, gzipStep); err {
		case nil:
		case io.EOF:
			return b.String(), nil
		default:
			return "", err
		}
	}
}
