package main

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/signal"
	"sync/atomic"
	"time"
)

// flood posts the items on standard input to an address until it is interrupted, each as often as needed, and prints how many
// were answered, how many of these were refused, and how many there were a second.
func flood(url string, c int) error {
	stop := make(chan os.Signal, 1)
	signal.Notify(stop, os.Interrupt)
	items, err := readItems(os.Stdin)
	if err != nil {
		return err
	}
	hc := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: c}, Timeout: time.Minute}
	var next, sent, refused atomic.Int64
	var done atomic.Bool
	start := time.Now()
	go func() {
		<-stop
		done.Store(true)
	}()
	err = each(c, func() error {
		for !done.Load() {
			i := int(next.Add(1)-1) % len(items)
			r, err := hc.Post(url, "application/octet-stream", bytes.NewReader(items[i]))
			if err != nil {
				return err
			}
			_, err = io.Copy(io.Discard, r.Body)
			r.Body.Close()
			if err != nil {
				return err
			}
			sent.Add(1)
			switch r.StatusCode {
			case http.StatusOK:
			case http.StatusTooManyRequests:
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

func readItems(r io.Reader) (items [][]byte, err error) {
	in := bufio.NewReader(r)
	for {
		var size [4]byte
		if _, err := io.ReadFull(in, size[:]); err == io.EOF {
			return items, nil
		} else if err != nil {
			return nil, err
		}
		item := make([]byte, binary.BigEndian.Uint32(size[:]))
		if _, err := io.ReadFull(in, item); err != nil {
			return nil, err
		}
		items = append(items, item)
	}
}
