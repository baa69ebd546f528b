package main

import (
	"go/ast"
	"go/parser"
	"go/token"
	"reflect"
	"testing"

	"ago/settings"
)

// TestEverySettingIsReadByItsUnits: what is documented for a unit is looked at by the code that starts the unit. What it then does
// is tested by TestEveryVariable.
func TestEverySettingIsReadByItsUnits(t *testing.T) {
	read := fieldsRead(t)
	starts := map[settings.Unit]string{
		settings.Node: "runNode", settings.SU: "runSU", settings.MU: "runMU", settings.CU: "runCU", settings.Gateway: "runGateway", settings.UR: "runUR",
	}
	fields := map[string]string{} // flag -> field
	typ := reflect.TypeFor[settings.Settings]()
	for i := range typ.NumField() {
		fields[typ.Field(i).Tag.Get("flag")] = typ.Field(i).Name
	}
	for _, u := range settings.Units {
		have := read(starts[u], "unitLogger", "watched")
		have["GatewayURL"] = have["GatewayURL"] || have["ArweaveURL"] && have["GraphqlURL"] // which it fills in
		for _, s := range settings.Of(u) {
			if !have[fields[s.Flag]] {
				t.Errorf("ago %s takes --%s and does nothing with it", u, s.Flag)
			}
		}
	}
}

// fieldsRead gives the fields of the settings that functions of this package read, with all functions of it that they call.
func fieldsRead(t *testing.T) func(roots ...string) map[string]bool {
	t.Helper()
	set := token.NewFileSet()
	reads, calls := map[string][]string{}, map[string][]string{}
	note := func(file string) {
		f, err := parser.ParseFile(set, file, nil, 0)
		check(t, err)
		for _, d := range f.Decls {
			fn, ok := d.(*ast.FuncDecl)
			if !ok || fn.Recv != nil {
				continue
			}
			name := fn.Name.Name
			ast.Inspect(fn, func(n ast.Node) bool {
				switch n := n.(type) {
				case *ast.SelectorExpr:
					if x, ok := n.X.(*ast.Ident); ok && x.Name == "l" {
						reads[name] = append(reads[name], n.Sel.Name)
					}
				case *ast.CallExpr:
					if f, ok := n.Fun.(*ast.Ident); ok {
						calls[name] = append(calls[name], f.Name)
					}
				}
				return true
			})
		}
	}
	for _, file := range []string{"start.go", "checkpoints.go", "logs.go"} {
		note(file)
	}
	// runUnit looks at what all units have before it starts one of them.
	reads["watched"] = append(reads["watched"], reads["runUnit"]...)
	return func(roots ...string) map[string]bool {
		out, seen := map[string]bool{}, map[string]bool{}
		for len(roots) > 0 {
			fn := roots[0]
			if roots = roots[1:]; seen[fn] {
				continue
			}
			seen[fn] = true
			for _, field := range reads[fn] {
				out[field] = true
			}
			roots = append(roots, calls[fn]...)
		}
		return out
	}
}
