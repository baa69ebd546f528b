package settings

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
)

// everythingSaid is all that is printed of the settings of a unit: values, notes and problems, as text and as JSON.
func everythingSaid(t *testing.T, u Unit, src Sources) string {
	t.Helper()
	l, err := Load(u, src)
	b, jerr := json.Marshal([]any{l.Values, l.Notes, l.Problems})
	if jerr != nil {
		t.Fatal(jerr)
	}
	return fmt.Sprintf("%v %s", err, b)
}

// TestSecretsAreNeverPrinted: keys and passwords show up in no value, note or problem, whether they are right or not, wherever they are
// from.
func TestSecretsAreNeverPrinted(t *testing.T) {
	const secret = "s3cr3t"
	values := []string{
		"postgres://me:" + secret + "@db.example/ao", "postgresql://" + secret + ":" + secret + "@db/x?sslmode=disable", "postgres://db/ao?user=me&password=" + secret,
		"postgres://me:p@ss:" + secret + "@db/ao", "postgres:/me:" + secret + "@db/ao", "me:" + secret + "@db/ao", "mysql://me:" + secret + "@db",
		"http://me:" + secret + "@gateway.example", "ftp://me:" + secret + "@gateway", "https://gateway.example/?token=" + secret,
		`{"kty":"RSA","d":"` + secret + `"}`, `{"kty":"RSA","d":"` + secret, `{"p":"http://me:` + secret + `@cu"}`, `{"p":"me:` + secret + `@cu"}`,
	}
	tried := 0
	for _, u := range Units {
		for _, s := range Of(u) {
			if s.Kind != "url" && s.Kind != "dburl" && s.Kind != "secret" && s.Placeholder() != "JSON" {
				continue
			}
			for _, v := range values {
				if strings.Contains(v, secret+":"+secret) && s.Kind != "dburl" {
					continue
				}
				file, err := ParseFile("ago.toml", fmt.Appendf(nil, "[%s]\n%s = %q\n", u, s.Flag, v))
				if err != nil {
					t.Fatal(err)
				}
				env, err := ParseEnvFile(".env", s.Env(u)[0]+"='"+v+"'\n")
				if err != nil {
					t.Fatal(err)
				}
				sources := []Sources{{Flags: map[string][]string{s.Flag: {v}}}, {Environ: map[string]string{s.Env(u)[0]: v}}, {EnvFile: env}, {File: file}}
				for _, old := range s.legacyOf(u) {
					sources = append(sources, Sources{Environ: map[string]string{old.Name: v}})
				}
				for _, src := range sources {
					tried++
					// A name that is a password is no secret as a name.
					said := strings.ReplaceAll(everythingSaid(t, u, src), "//"+secret+":", "//NAME:")
					if strings.Contains(said, secret) {
						at := strings.Index(said, secret)
						t.Fatalf("ago %s with --%s %s says %s", u, s.Flag, v, said[max(at-100, 0):min(at+50, len(said))])
					}
				}
			}
		}
	}
	if tried < 500 {
		t.Errorf("only %d were tried", tried)
	}
	// A wallet that was not put in quotes goes on over lines that are no variables.
	if _, err := ParseEnvFile(".env", "WALLET={\n  \"d\":\""+secret+"\"\n}\n"); err == nil || strings.Contains(err.Error(), secret) || !strings.HasPrefix(err.Error(), ".env:2: ") {
		t.Errorf("a wallet over several lines: %v", err)
	}
}

// TestRedactedAddressesStayRecognisable: host, user and what is no secret are still there.
func TestRedactedAddressesStayRecognisable(t *testing.T) {
	for text, want := range map[string]string{
		"postgres://me:pw@db:5432/ao?sslmode=require": "postgres://me:…@db:5432/ao?sslmode=require", "postgres://me@db/ao": "postgres://me@db/ao",
		"postgres://db/ao?user=me&password=pw&sslmode=off": "postgres://db/ao?user=me&password=…&sslmode=off", "http://gateway.example/x": "http://gateway.example/x",
		"a plain text": "a plain text", "http://127.0.0.1:4000": "http://127.0.0.1:4000",
	} {
		if got := Redacted(text); got != want {
			t.Errorf("%q becomes %q, want %q", text, got, want)
		}
	}
}

// TestMisspeltNamesInAFileAreWrong: with the line, and what was meant.
func TestMisspeltNamesInAFileAreWrong(t *testing.T) {
	for name, meant := range map[string]string{
		"RESTRICT_PROCESES": "RESTRICT_PROCESSES", "PROCESS_WASM_MEMORY_MAX_LIMITS": "PROCESS_WASM_MEMORY_MAX_LIMIT", "AGO_LOG_LEVL": "AGO_LOG_LEVEL", "AGO_SOMETHING_ELSE": "",
		"PROCESS_WASM_SOMETHING_NEW": "note", "HOSTNAME": "nothing", "CU_URL": "note",
	} {
		env, err := ParseEnvFile("units/.env", "# of the compute unit\n\n"+name+"=1\n")
		if err != nil {
			t.Fatal(err)
		}
		l, err := Load(CU, Sources{EnvFile: env})
		switch meant {
		case "note", "nothing":
			if err != nil || (len(l.Notes) == 1) != (meant == "note") {
				t.Errorf("%s: %v, %v", name, err, l.Notes)
			}
		default:
			p, ok := err.(Problem)
			if !ok || p.Error() != "units/.env:3: "+name+" is no setting of ago" || meant != "" && p.Hint != "did you mean "+meant+"?" || p.Hint == "" {
				t.Errorf("%s: %v, hint %q", name, err, p.Hint)
			}
		}
	}
}

// TestWrongValuesHaveTheirPlace: for every setting that can be wrong, from every source.
func TestWrongValuesHaveTheirPlace(t *testing.T) {
	tried := 0
	for _, u := range Units {
		for _, s := range Of(u) {
			bad := "\x01://"
			if _, err := Load(u, Sources{Flags: map[string][]string{s.Flag: {bad}, "hosts": {"http://a"}}}); err == nil || !strings.Contains(err.Error(), "--"+s.Flag+" ") {
				continue // any text will do
			}
			tried++
			file, err := ParseFile("ago.toml", fmt.Appendf(nil, "# settings\n\n[%s]\n%s = %q\n", u, s.Flag, "nonsense://"))
			if err != nil {
				t.Fatal(err)
			}
			env, err := ParseEnvFile(".env", "# settings\n"+s.Env(u)[len(s.Env(u))-1]+"=nonsense://\n")
			if err != nil {
				t.Fatal(err)
			}
			for where, src := range map[string]Sources{
				"ago.toml:4": {File: file}, ".env:2": {EnvFile: env}, "the environment": {Environ: map[string]string{s.Env(u)[0]: "nonsense://"}},
				"the command line": {Flags: map[string][]string{s.Flag: {"nonsense://"}}},
			} {
				l, _ := Load(u, src)
				found := false
				for _, p := range l.Problems {
					found = found || p.Where == where && strings.HasPrefix(p.Text, "--"+s.Flag+" ") && strings.Contains(p.Hint, s.Help)
				}
				if !found {
					t.Errorf("ago %s --%s at %s: %v", u, s.Flag, where, l.Problems)
				}
			}
		}
	}
	if tried < 60 {
		t.Errorf("only %d settings can be wrong", tried)
	}
}
