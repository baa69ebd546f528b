package device

// provided is a service under the type it is asked for by.
type provided[T any] struct{ service T }

// Provide gives a service to the calls of a node under the type T, in place of an earlier one. It is for whoever puts a node
// together, before the node is used.
func Provide[T any](n *Node, service T) {
	for i, s := range n.services {
		if _, ok := s.(provided[T]); ok {
			n.services[i] = provided[T]{service}
			return
		}
	}
	n.services = append(n.services, provided[T]{service})
}

// Service gives the service of the type T: a unit, seen through an interface that the device declares. It is not ok on a node
// that has none.
func Service[T any](c *Call) (T, bool) {
	for _, s := range c.Node.services {
		if p, ok := s.(provided[T]); ok {
			return p.service, true
		}
	}
	var none T
	return none, false
}
