package settings

import (
	"fmt"
	"strings"
)

// Markdown writes the tables of the documentation.
func Markdown() string {
	var b strings.Builder
	b.WriteString("| setting | units | names of older units | default | meaning |\n|---|---|---|---|---|\n")
	for _, s := range all {
		fmt.Fprintf(&b, "| `%s` | %s | %s | %s | %s |\n", s.Flag, unitsText(s.Units), legacyText(s), defaultText(s), cell(s.Help))
	}
	b.WriteString("\nThese are accepted and change nothing:\n\n| variable | units | why |\n|---|---|---|\n")
	for _, i := range IgnoredVariables {
		fmt.Fprintf(&b, "| `%s` | %s | %s |\n", i.Name, unitsText(i.Units), cell(i.Why))
	}
	return b.String()
}

func cell(text string) string { return strings.ReplaceAll(text, "|", `\|`) }

func unitsText(units []Unit) string {
	if len(units) == len(Units) {
		return "all"
	}
	texts := make([]string, len(units))
	for i, u := range units {
		texts[i] = string(u)
	}
	return strings.Join(texts, " ")
}

func legacyText(s Setting) string {
	var names []string
	for _, l := range s.Legacy {
		text := "`" + l.Name + "`"
		if len(l.Units) < len(s.Units) {
			text += " (" + unitsText(l.Units) + ")"
		}
		switch l.form {
		case '?':
			text += ": any value switches it on"
		case '!':
			text += ": only `false` switches it on"
		}
		names = append(names, text)
	}
	return strings.Join(names, ", ")
}

func defaultText(s Setting) string {
	vars := map[string]string{"home": "ago in your data folder"}
	first := s.Default(s.Units[0], vars)
	var each []string
	same := true
	for _, u := range s.Units {
		text := s.Default(u, vars)
		same = same && text == first
		if text == "" {
			text = "none"
		}
		each = append(each, string(u)+" `"+text+"`")
	}
	switch {
	case strings.Contains(s.tag.Get("default"), "${home}"):
		return "a folder named after the unit in your data folder"
	case !same:
		return strings.Join(each, ", ")
	case first != "":
		return "`" + first + "`"
	case s.IsBool():
		return "off"
	}
	if z := zeroText(s); z != "" {
		return "`" + z + "`"
	}
	return "none"
}
