package gateway

import (
	"slices"
	"sort"
	"strings"

	"github.com/vektah/gqlparser/v2/ast"
)

// introspect answers __schema and __type, by which editors and code generators learn the schema.
func (x *execution) introspect(f selected, args map[string]any) error {
	if f.name == "__type" {
		name, _ := args["name"].(string)
		return x.typeOf(f.sub, ast.NamedType(name, nil))
	}
	return x.object(f.sub, "__Schema", func(f selected) error {
		switch f.name {
		case "types":
			names := make([]string, 0, len(schema.Types))
			for name := range schema.Types {
				names = append(names, name)
			}
			sort.Strings(names)
			return list(x, names, func(name string) error { return x.typeOf(f.sub, ast.NamedType(name, nil)) })
		case "queryType":
			return x.typeOf(f.sub, ast.NamedType("Query", nil))
		case "directives":
			names := make([]string, 0, len(schema.Directives))
			for name := range schema.Directives {
				names = append(names, name)
			}
			sort.Strings(names)
			return list(x, names, func(name string) error { return x.directive(f.sub, schema.Directives[name]) })
		}
		x.null() // mutations, subscriptions, a description
		return nil
	})
}

// list writes an array.
func list[T any](x *execution, items []T, write func(T) error) error {
	x.out = append(x.out, '[')
	for i, item := range items {
		if i > 0 {
			x.out = append(x.out, ',')
		}
		if err := write(item); err != nil {
			return err
		}
	}
	x.out = append(x.out, ']')
	return nil
}

func (x *execution) textOrNull(s string) {
	if s == "" {
		x.null()
		return
	}
	x.text(s)
}

func (x *execution) bool(b bool) {
	if b {
		x.out = append(x.out, "true"...)
	} else {
		x.out = append(x.out, "false"...)
	}
}

// typeOf writes a type: a wrapper around another one, or a named one; null if there is none of the name.
func (x *execution) typeOf(sub []selected, t *ast.Type) error {
	wrapper, inner := "", t
	switch {
	case t.NonNull:
		c := *t
		c.NonNull = false
		wrapper, inner = "NON_NULL", &c
	case t.Elem != nil:
		wrapper, inner = "LIST", t.Elem
	}
	if wrapper != "" {
		return x.object(sub, "__Type", func(f selected) error {
			switch f.name {
			case "kind":
				x.text(wrapper)
			case "ofType":
				return x.typeOf(f.sub, inner)
			default:
				x.null()
			}
			return nil
		})
	}
	def := schema.Types[t.NamedType]
	if def == nil {
		x.null()
		return nil
	}
	return x.object(sub, "__Type", func(f selected) error {
		switch f.name {
		case "kind":
			x.text(string(def.Kind))
			return nil
		case "name":
			x.text(def.Name)
			return nil
		case "description":
			x.textOrNull(def.Description)
			return nil
		case "fields":
			if def.Kind != ast.Object {
				break
			}
			fields := slices.DeleteFunc(slices.Clone(def.Fields), func(d *ast.FieldDefinition) bool { return strings.HasPrefix(d.Name, "__") })
			return list(x, fields, func(d *ast.FieldDefinition) error {
				return x.member(f.sub, "__Field", d.Name, d.Description, d.Type, d.Arguments, nil)
			})
		case "inputFields":
			if def.Kind != ast.InputObject {
				break
			}
			return list(x, def.Fields, func(d *ast.FieldDefinition) error {
				return x.member(f.sub, "__InputValue", d.Name, d.Description, d.Type, nil, d.DefaultValue)
			})
		case "enumValues":
			if def.Kind != ast.Enum {
				break
			}
			return list(x, def.EnumValues, func(v *ast.EnumValueDefinition) error {
				return x.member(f.sub, "__EnumValue", v.Name, v.Description, nil, nil, nil)
			})
		case "interfaces":
			if def.Kind == ast.Object {
				x.out = append(x.out, "[]"...)
				return nil
			}
		case "isOneOf":
			x.bool(false)
			return nil
		}
		x.null() // not a property of this kind of type
		return nil
	})
}

// member writes a field, an argument or a value of an enumeration.
func (x *execution) member(sub []selected, typeName, name, description string, t *ast.Type, args ast.ArgumentDefinitionList, value *ast.Value) error {
	return x.object(sub, typeName, func(f selected) error {
		switch f.name {
		case "name":
			x.text(name)
		case "description":
			x.textOrNull(description)
		case "type":
			return x.typeOf(f.sub, t)
		case "args":
			return x.arguments(f.sub, args)
		case "defaultValue":
			if value == nil {
				x.null()
			} else {
				x.text(value.String())
			}
		case "isDeprecated":
			x.bool(false)
		default:
			x.null()
		}
		return nil
	})
}

func (x *execution) arguments(sub []selected, args ast.ArgumentDefinitionList) error {
	return list(x, args, func(a *ast.ArgumentDefinition) error {
		return x.member(sub, "__InputValue", a.Name, a.Description, a.Type, nil, a.DefaultValue)
	})
}

func (x *execution) directive(sub []selected, d *ast.DirectiveDefinition) error {
	return x.object(sub, "__Directive", func(f selected) error {
		switch f.name {
		case "name":
			x.text(d.Name)
		case "description":
			x.textOrNull(d.Description)
		case "args":
			return x.arguments(f.sub, d.Arguments)
		case "locations":
			return list(x, d.Locations, func(l ast.DirectiveLocation) error {
				x.text(string(l))
				return nil
			})
		case "isRepeatable":
			x.bool(d.IsRepeatable)
		default:
			x.null()
		}
		return nil
	})
}
