package main

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
)

// flatLines are lines of paths that share nothing, so many keys deep.
func flatLines(n, deep int) []byte {
	var b bytes.Buffer
	below := strings.Repeat("/a", deep-1)
	for i := range n {
		fmt.Fprintf(&b, "k%d%s: 1\n", i, below)
	}
	return b.Bytes()
}

func bigLines(n, size int) []byte {
	var b bytes.Buffer
	value := strings.Repeat("v", size)
	for i := range n {
		fmt.Fprintf(&b, "k%d/a: %s\n", i, value)
	}
	return b.Bytes()
}

// jsonObjects is an object of so many small objects.
func jsonObjects(n int) []byte {
	var b bytes.Buffer
	b.WriteString(`{"n":{`)
	for i := range n {
		if i > 0 {
			b.WriteByte(',')
		}
		fmt.Fprintf(&b, `"k%d":{"a":1}`, i)
	}
	b.WriteString("}}")
	return b.Bytes()
}

func jsonList(n int) []byte {
	return []byte(`{"n":[` + strings.Repeat("1,", n-1) + `1]}`)
}

func jsonDeep(n, deep int) []byte {
	one := strings.Repeat("[", deep) + strings.Repeat("]", deep)
	return []byte(`{"n":[` + strings.Repeat(one+",", n-1) + one + `]}`)
}

func jsonBig(size int) []byte {
	return []byte(`{"n":"` + strings.Repeat("v", size) + `"}`)
}

// jsonDeepKeys is nested deep under long keys, with many values at the bottom: each is written with its whole path.
func jsonDeepKeys(deep, leaves int) []byte {
	var b bytes.Buffer
	key := strings.Repeat("x", 200)
	for range deep {
		b.WriteString(`{"` + key + `":`)
	}
	b.WriteByte('{')
	for i := range leaves {
		if i > 0 {
			b.WriteByte(',')
		}
		fmt.Fprintf(&b, `"k%d":"1"`, i)
	}
	b.WriteString(strings.Repeat("}", deep+1))
	return b.Bytes()
}

func parts(n, deep int) []byte {
	var b bytes.Buffer
	below := strings.Repeat("/a", deep-1)
	for i := range n {
		fmt.Fprintf(&b, "--b\r\ncontent-disposition: form-data;name=\"k%d%s\"\r\na: 1\r\nb: 2\r\n", i, below)
	}
	b.WriteString("--b--")
	return b.Bytes()
}

// bomb is so many bytes of nothing, packed.
func bomb(size int) []byte {
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	w.Write(make([]byte, size))
	w.Close()
	return b.Bytes()
}

// links keeps so many bytes, and so many messages above them that each link twice to the one below: read with what is linked in
// place, that is all of them twice as often at each level. It needs a node that lets everybody write, as ago dev does.
func links(deep, size int) func(string) (string, error) {
	return func(node string) (string, error) {
		write := func(fields string) (string, error) {
			r, err := http.NewRequest(http.MethodPost, node+"/~cache@1.0/write", strings.NewReader(`{"type":"batch","body":{"x":{`+fields+`}}}`))
			if err != nil {
				return "", err
			}
			r.Header.Set("Codec-Device", "json@1.0")
			r.Header.Set("Accept", "application/json")
			answer, err := http.DefaultClient.Do(r)
			if err != nil {
				return "", err
			}
			defer answer.Body.Close()
			text, err := io.ReadAll(answer.Body)
			if err != nil {
				return "", err
			}
			var kept struct{ X struct{ Path string } }
			if err := json.Unmarshal(text, &kept); err != nil || kept.X.Path == "" {
				return "", fmt.Errorf("nothing was kept: %d %.300s", answer.StatusCode, text)
			}
			return kept.X.Path, nil
		}
		id, err := write(`"data":"` + strings.Repeat("v", size) + `"`)
		for range deep {
			if err != nil {
				return "", err
			}
			id, err = write(fmt.Sprintf(`"a+link":%q,"b+link":%q`, id, id))
		}
		return "/" + id + "~message@1.0", err
	}
}

// jsonDeepObjects are objects in objects.
func jsonDeepObjects(n, deep int) []byte {
	one := strings.Repeat(`{"a":`, deep) + "1" + strings.Repeat("}", deep)
	var b bytes.Buffer
	b.WriteByte('{')
	for i := range n {
		if i > 0 {
			b.WriteByte(',')
		}
		fmt.Fprintf(&b, `"k%d":%s`, i, one)
	}
	b.WriteByte('}')
	return b.Bytes()
}

// jsonAtoms is an object whose ao-types are as long as it.
func jsonAtoms(n int) []byte {
	var types, keys strings.Builder
	for i := range n {
		if i > 0 {
			types.WriteString(", ")
		}
		fmt.Fprintf(&types, `k%d=\"atom\"`, i)
		fmt.Fprintf(&keys, `,"k%d":"x"`, i)
	}
	return []byte(`{"ao-types":"` + types.String() + `"` + keys.String() + "}")
}

// jsonTypes says types of keys that are not there.
func jsonTypes(n int) []byte {
	var types strings.Builder
	for i := range n {
		if i > 0 {
			types.WriteString(", ")
		}
		fmt.Fprintf(&types, `k%d=\"empty-message\"`, i)
	}
	return []byte(`{"ao-types":"` + types.String() + `","a":"1"}`)
}

// jsonStack is a stack of devices that each answer all of it.
func jsonStack(n int) []byte {
	return []byte(`{"device-stack":[` + strings.Repeat(`"message@1.0",`, n-1) + `"message@1.0"],"data":"` + strings.Repeat("v", 100_000) + `"}`)
}

// foldedParts announce parts in their lines.
func foldedParts(n int) []byte {
	var b bytes.Buffer
	for i := range n {
		fmt.Fprintf(&b, "--b\r\ncontent-disposition: form-data;name=\"k%d\"\r\ncontent-type: multipart/form-data; boundary=\"c\"\r\ndata: --c\r\nx: 1\r\n--c--\r\na: 1\r\n", i)
	}
	b.WriteString("--b--")
	return b.Bytes()
}
