package settings

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
	"time"
)

// Sources are where values come from. What stands first wins: flags, the environment, the .env file, the settings file.
// Within the environment and within a .env file ago's own names win over those of the older units.
type Sources struct {
	Flags   map[string][]string // by the name of the flag
	Environ map[string]string
	EnvFile *EnvFile          // may be nil
	File    *File             // may be nil
	Vars    map[string]string // for defaults: home
	Others  map[string]bool   // variables that are those of other commands
}

// Environ gives the environment of a process as a map.
func Environ(list []string) map[string]string {
	out := make(map[string]string, len(list))
	for _, e := range list {
		name, value, _ := strings.Cut(e, "=")
		out[name] = value
	}
	return out
}

// Value is one setting with where it came from.
type Value struct {
	Setting Setting `json:"-"`
	Name    string  `json:"name"`
	Value   string  `json:"value"`
	Source  string  `json:"source"` // "default", "flag --x", "environment NAME", "FILE:LINE NAME"
	Default string  `json:"default"`
}

// Loaded are the settings of a unit.
type Loaded struct {
	Settings
	Unit   Unit
	Values []Value
	// Notes tell of variables that change nothing, of names of the older units, and of names that look misspelt.
	Notes    []Problem
	Problems []Problem
	// Elsewhere are values in the .env file that this unit does not read, and that none of the units which do can start with.
	Elsewhere []Problem
}

// Load gives the settings of a unit. The error is the first of the problems; all are in Loaded.
func Load(u Unit, src Sources) (*Loaded, error) {
	l := &Loaded{Unit: u}
	for _, s := range Of(u) {
		l.load(s, src)
	}
	l.derive()
	l.agree()
	l.note(src)
	l.elsewhere(src)
	if len(l.Problems) > 0 {
		return l, l.Problems[0]
	}
	return l, nil
}

func (l *Loaded) load(s Setting, src Sources) {
	fallback := s.Default(l.Unit, src.Vars)
	v := Value{Setting: s, Name: s.Flag, Default: fallback, Source: "default"}
	given, legacy, where := l.find(s, src, &v)
	if given == nil {
		if fallback == "" && s.typ.Kind() != reflect.String && !s.IsList() && s.typ.Kind() != reflect.Map {
			fallback = "0"
		}
		given = []string{fallback}
	}
	given = l.adapt(s, legacy, given)
	if err := s.set(&l.Settings, given, legacy); err != nil {
		name := "--" + s.Flag
		if legacy != nil {
			name = legacy.Name
		}
		l.Problems = append(l.Problems, Problem{Where: where, Text: fmt.Sprintf("%s %v", name, err), Hint: "--" + s.Flag + ": " + s.Help})
	}
	v.Value = l.text(s)
	if v.Default == "" {
		v.Default = zeroText(s)
	}
	l.Values = append(l.Values, v)
}

// find gives the texts of a setting and says where they are from; nil if nobody gave any.
func (l *Loaded) find(s Setting, src Sources, v *Value) (given []string, legacy *Legacy, where string) {
	if t, ok := src.Flags[s.Flag]; ok {
		v.Source = "flag --" + s.Flag
		return t, nil, "the command line"
	}
	for _, layer := range []struct {
		lookup func(string) (string, bool)
		where  func(string) string
		name   string
	}{
		{func(n string) (string, bool) { t, ok := src.Environ[n]; return t, ok }, func(string) string { return "the environment" }, "environment "},
		{src.EnvFile.lookup, func(n string) string { return src.EnvFile.Where(n) }, ""},
	} {
		source := func(n string) string {
			if layer.name != "" {
				return layer.name + n
			}
			return layer.where(n) + " " + n
		}
		for _, n := range s.Env(l.Unit) {
			if t, ok := layer.lookup(n); ok && (t != "" || s.mayBeEmpty()) {
				v.Source = source(n)
				return []string{t}, nil, layer.where(n)
			}
		}
		for _, old := range s.legacyOf(l.Unit) {
			t, ok := layer.lookup(old.Name)
			if !ok || t == "" && old.form != '!' { // an empty variable is one that was not given
				continue
			}
			v.Source = source(old.Name)
			l.Notes = append(l.Notes, Problem{Where: layer.where(old.Name), Text: fmt.Sprintf("%s is --%s here", old.Name, s.Flag)})
			return []string{t}, &old, layer.where(old.Name)
		}
	}
	for _, key := range []string{string(l.Unit) + "." + s.Flag, s.Flag} {
		if value, ok := src.File.Value(key); ok {
			v.Source = src.File.Where(key)
			return texts(value), nil, src.File.Where(key)
		}
	}
	return nil, nil, ""
}

// mayBeEmpty tells settings of which an empty value says something: that there is none.
func (s Setting) mayBeEmpty() bool {
	return s.IsList() || s.typ.Kind() == reflect.Map || s.typ.Kind() == reflect.String
}

// adapt turns what a name of an older unit means there into what the setting means.
func (l *Loaded) adapt(s Setting, legacy *Legacy, given []string) []string {
	if legacy == nil || len(given) == 0 {
		return given
	}
	text := given[0]
	switch legacy.Name {
	case "GRAPHQL_URL":
		if l.Unit == SU { // the scheduler appends the path itself
			text = strings.TrimRight(text, "/") + "/graphql"
		}
	case "DB_URL":
		text = strings.TrimSuffix(text, ".sqlite")
	}
	return []string{text}
}

// derive fills in what follows from other settings if it was not given.
func (l *Loaded) derive() {
	from := func(flag, other string) {
		v, o := l.value(flag), l.value(other)
		if v != nil && o != nil && v.Source == "default" && o.Source != "default" {
			v.Source = "from --" + other
		}
		if v != nil {
			v.Value = l.text(v.Setting)
			v.Default = "from --" + other
		}
	}
	if len(l.ArweaveURL) == 0 {
		l.ArweaveURL = l.GatewayURL
		from("arweave-url", "gateway-url")
	}
	if l.GraphqlURL == "" && len(l.GatewayURL) > 0 {
		l.GraphqlURL = l.GatewayURL[0] + "/graphql"
		from("graphql-url", "gateway-url")
	}
	if l.CheckpointGQL == "" {
		l.CheckpointGQL = l.GraphqlURL
		from("checkpoint-graphql-url", "graphql-url")
	}
	if IsPostgres(l.DBURL) && l.DBMode == "embedded" { // older units tell a remote database by its address alone
		if v := l.value("db-mode"); v == nil || v.Source == "default" {
			l.DBMode = "remote"
			from("db-mode", "db-url")
		}
	}
}

// agree finds settings that contradict each other.
func (l *Loaded) agree() {
	bad := func(flag, hint, format string, args ...any) {
		where := ""
		if v := l.value(flag); v != nil && v.Source != "default" {
			where = v.Source
		}
		l.Problems = append(l.Problems, Problem{Where: where, Text: fmt.Sprintf(format, args...), Hint: hint})
	}
	if l.DBMode == "remote" && !IsPostgres(l.DBURL) {
		bad("db-mode", "give --db-url postgres://USER:PASSWORD@HOST/DATABASE, or leave --db-mode out", "--db-mode remote needs the address of a database")
	}
	if l.DBMode == "embedded" && IsPostgres(l.DBURL) {
		bad("db-mode", "leave --db-mode out, or say remote", "--db-mode embedded, and --db-url is a remote database")
	}
	if l.WalletFile != "" && l.WalletText != "" {
		bad("wallet", "keep one of the two", "both --wallet and --wallet-json are given")
	}
	if l.PortBase != 0 && l.PortBase > 65530 {
		bad("port-base", "the node takes six ports from there on", "--port-base is a port from 1 to 65530, not %d", l.PortBase)
	}
	if l.Unit == UR && len(l.Hosts) == 0 && l.problems("hosts") == 0 {
		bad("hosts", "for instance HOSTS=http://cu1:6363,http://cu2:6363", "a router needs the units behind it: --hosts")
	}
	if l.SubrouterURL != "" && (len(l.SubOwners) == 0 || l.LookupURL == "") {
		bad("subrouter-url", "give --subrouter-owners and --sur-url too", "--subrouter-url needs to know whose processes it has")
	}
	if (len(l.OwnerToHost) > 0 || len(l.ModuleToHost) > 0) && l.LookupURL == "" {
		bad("owner-to-host", "give --sur-url, a scheduler that knows the processes", "--owner-to-host and --module-to-host need --sur-url")
	}
	if l.RouterCheck && l.RouterAsked == "" {
		bad("router-check", "give --router-url, the address that clients post new processes to", "--router-check needs the router")
	}
	if l.Mode == "router" && l.SchedulerList == "" {
		bad("mode", `give --scheduler-list, a file like [{"url":"http://su1:9000"}]`, "--mode router needs the schedulers")
	}
}

func (l *Loaded) problems(flag string) (n int) {
	for _, p := range l.Problems {
		if strings.HasPrefix(p.Hint, "--"+flag+":") {
			n++
		}
	}
	return n
}

func (l *Loaded) value(flag string) *Value {
	for i := range l.Values {
		if l.Values[i].Name == flag {
			return &l.Values[i]
		}
	}
	return nil
}

// Source says where the value of a setting is from, as in Value.
func (l *Loaded) Source(flag string) string {
	if v := l.value(flag); v != nil {
		return v.Source
	}
	return "default"
}

// Given tells whether a setting has a value that somebody gave.
func (l *Loaded) Given(flag string) bool {
	v := l.value(flag)
	return v != nil && v.Source != "default" && !strings.HasPrefix(v.Source, "from ")
}

// text writes the value of a setting. Keys and passwords are left out.
func (l *Loaded) text(s Setting) string {
	f := reflect.ValueOf(&l.Settings).Elem().Field(s.field)
	switch {
	case s.Kind == "secret":
		if f.String() != "" {
			return "(a key)"
		}
	case s.Kind == "dburl":
		return Redacted(f.String())
	case s.IsList():
		list := slices.Clone(f.Interface().([]string))
		for i, e := range list {
			list[i] = Redacted(e)
		}
		return strings.Join(list, ";")
	case s.typ.Kind() == reflect.Map:
		m := f.Interface().(map[string]string)
		pairs := make([]string, 0, len(m))
		for k, v := range m {
			pairs = append(pairs, k+"="+Redacted(v))
		}
		slices.Sort(pairs)
		return strings.Join(pairs, ";")
	case s.typ == reflect.TypeFor[time.Duration]():
		return shortTime(time.Duration(f.Int()))
	}
	return Redacted(fmt.Sprint(f.Interface()))
}

func zeroText(s Setting) string {
	switch {
	case s.IsBool():
		return "false"
	case s.IsList(), s.typ.Kind() == reflect.Map, s.typ.Kind() == reflect.String:
		return ""
	}
	return "0"
}

// Redacted hides what only the unit may know of an address: the password, and parameters that hold one.
func Redacted(text string) string {
	if strings.Contains(text, `"`) { // no address: a wallet in the wrong place, perhaps
		return "…"
	}
	before, query, hasQuery := strings.Cut(text, "?")
	if at := strings.LastIndex(before, "@"); at >= 0 {
		scheme, rest := "", before[:at]
		if i := strings.Index(rest, "://"); i >= 0 {
			scheme, rest = rest[:i+3], rest[i+3:]
		}
		if user, _, hasPassword := strings.Cut(rest, ":"); hasPassword {
			before = scheme + user + ":…" + before[at:]
		}
	}
	if !hasQuery {
		return before
	}
	params := strings.Split(query, "&")
	for i, p := range params {
		name, _, _ := strings.Cut(p, "=")
		for _, word := range []string{"pass", "secret", "token", "key"} {
			if strings.Contains(strings.ToLower(name), word) {
				params[i] = name + "=…"
			}
		}
	}
	return before + "?" + strings.Join(params, "&")
}

// shortTime leaves out the zeros that Duration writes.
func shortTime(d time.Duration) string {
	if d == 0 {
		return "0"
	}
	s := d.String()
	if strings.HasSuffix(s, "m0s") {
		s = s[:len(s)-2]
	}
	if strings.HasSuffix(s, "h0m") {
		s = s[:len(s)-2]
	}
	return s
}
