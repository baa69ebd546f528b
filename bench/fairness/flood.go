package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/signal"
	"sync/atomic"
	"time"

	"ago/client"
	"ago/commitment"
	"ago/message"
)

// request is one of a flood: without a body it is a GET.
type request struct {
	URL, Type string
	Body      []byte
}

// floodOf makes the requests of a kind of flood, about the process that is flooded.
func floodOf(net *client.Network, key *commitment.Key, kind string, p message.ID, text string, m int) ([]request, error) {
	out := make([]request, 0, m)
	switch kind {
	case "messages", "uploads":
		items, err := sign(key, p, text+"flood ", m)
		to := net.SU
		if kind == "uploads" {
			to = net.Bundler + "/tx"
		}
		for _, it := range items {
			out = append(out, request{to, "application/octet-stream", it.Raw})
		}
		return out, err
	case "dry-runs":
		for i := range m {
			body := fmt.Sprintf(`{"Id":"%d","Target":"%s","Owner":"x","Data":"return %d","Tags":[{"name":"Action","value":"Eval"}]}`, i, p, i)
			out = append(out, request{net.CU + "/dry-run?process-id=" + p.String(), "application/json", []byte(body)})
		}
	case "results":
		items, err := sign(key, p, text+"asked ", 20)
		if err != nil {
			return nil, err
		}
		if _, err := measure(net, p, items, 0); err != nil {
			return nil, err
		}
		for i := range m {
			out = append(out, request{URL: net.CU + "/result/" + items[i%len(items)].ID().String() + "?process-id=" + p.String()})
		}
	case "paths":
		for i := range m {
			out = append(out, request{URL: fmt.Sprintf("%s/~message@1.0&a=%d/a", net.Node, i)})
		}
	default:
		return nil, fmt.Errorf("there is no flood of %q: messages, dry-runs, results, paths or uploads", kind)
	}
	return out, nil
}

// flood sends the requests on standard input until it is interrupted, each as often as needed, and prints how many were answered,
// how many of these were refused, and how many there were a second.
func flood(c int) error {
	stop := make(chan os.Signal, 1)
	signal.Notify(stop, os.Interrupt)
	var requests []request
	for in := json.NewDecoder(os.Stdin); ; {
		var r request
		if err := in.Decode(&r); err == io.EOF {
			break
		} else if err != nil {
			return err
		}
		requests = append(requests, r)
	}
	hc := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: c}, Timeout: time.Minute}
	var next, sent, refused atomic.Int64
	var done atomic.Bool
	start := time.Now()
	go func() {
		<-stop
		done.Store(true)
	}()
	err := each(c, func() error {
		for !done.Load() {
			r, err := requests[int(next.Add(1)-1)%len(requests)].send(hc)
			if err != nil {
				return err
			}
			_, err = io.Copy(io.Discard, r.Body)
			r.Body.Close()
			if err != nil {
				return err
			}
			sent.Add(1)
			switch {
			case r.StatusCode/100 == 2:
			case r.StatusCode == http.StatusTooManyRequests:
				refused.Add(1)
			default:
				return errors.New(r.Status)
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	_, err = fmt.Println(sent.Load(), refused.Load(), float64(sent.Load())/time.Since(start).Seconds())
	return err
}

func (r request) send(hc *http.Client) (*http.Response, error) {
	if r.Body == nil {
		return hc.Get(r.URL)
	}
	return hc.Post(r.URL, r.Type, bytes.NewReader(r.Body))
}
