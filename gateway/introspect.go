package gateway

import "ago/fault"

func (x *execution) introspect(selected, map[string]any) error {
	return fault.New(fault.Unsupported, "introspection-unsupported", "the schema is not served over GraphQL")
}
