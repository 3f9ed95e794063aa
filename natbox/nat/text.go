package nat

import (
	"fmt"
	"strings"
)

// Setting is a behaviour that has a name for each of its values.
type Setting interface {
	~uint8
	Names() []string
}

// Parse finds the value of a setting by its name.
func Parse[T Setting](name string) (T, error) {
	var zero T
	names := zero.Names()
	for i, n := range names {
		if n == name {
			return T(i), nil
		}
	}
	return zero, fmt.Errorf("nat: %q is none of %s", name, strings.Join(names, ", "))
}

func text[T Setting](v T) string {
	if names := v.Names(); int(v) < len(names) {
		return names[v]
	}
	return fmt.Sprintf("%d", uint8(v))
}

func known[T Setting](v T) bool { return int(v) < len(v.Names()) }

// Names of the values, in their order.
func (Dependence) Names() []string {
	return []string{"endpoint-independent", "address-dependent", "address-and-port-dependent"}
}

// Names of the values, in their order.
func (Assignment) Names() []string {
	return []string{"preserve", "sequential", "random", "contiguous"}
}

// Names of the values, in their order.
func (Collision) Names() []string {
	return []string{"another", "another-random", "share", "overload", "refuse"}
}

// Names of the values, in their order.
func (Range) Names() []string { return []string{"none", "well-known", "well-known-halves"} }

// Names of the values, in their order.
func (Pooling) Names() []string { return []string{"paired", "paired-soft", "arbitrary"} }

// Names of the values, in their order.
func (Hairpinning) Names() []string { return []string{"external-source", "internal-source", "none"} }

// Names of the values, in their order.
func (Refresh) Names() []string { return []string{"outbound", "both", "inbound"} }

// Names of the values, in their order.
func (Scope) Names() []string { return []string{"mapping", "session"} }

// Names of the values, in their order.
func (FragmentMode) Names() []string { return []string{"out-of-order", "in-order", "none"} }

// Names of the values, in their order.
func (PortlessMode) Names() []string { return []string{"drop", "one-client", "by-spi"} }

// Names of the values, in their order.
func (Keep) Names() []string { return []string{"first", "last"} }

// Names of the values, in their order.
func (IKEMode) Names() []string { return []string{"plain", "cookies", "keep-port", "one-host"} }

// Names of the values, in their order.
func (Unsolicited) Names() []string { return []string{"later", "silent", "icmp", "reset"} }

// Names of the values, in their order.
func (MidStream) Names() []string { return []string{"adopt", "drop", "reset"} }

// Names of the values, in their order.
func (Reset) Names() []string { return []string{"waits", "ends"} }

// Names of the values, in their order.
func (Window) Names() []string { return []string{"ignored", "reset", "all"} }

// Names of the values, in their order.
func (Eviction) Names() []string { return []string{"refuse", "oldest", "least-recent"} }

// Names of the values, in their order.
func (Exhausted) Names() []string { return []string{"refuse", "spill"} }

// Names of the values, in their order.
func (AddressChange) Names() []string { return []string{"drop", "move", "keep"} }

// Names of the values, in their order.
func (ErrorMode) Names() []string { return []string{"translate", "outer-only", "drop"} }

func (v Dependence) String() string    { return text(v) }
func (v Assignment) String() string    { return text(v) }
func (v Collision) String() string     { return text(v) }
func (v Range) String() string         { return text(v) }
func (v Pooling) String() string       { return text(v) }
func (v Hairpinning) String() string   { return text(v) }
func (v Refresh) String() string       { return text(v) }
func (v Scope) String() string         { return text(v) }
func (v FragmentMode) String() string  { return text(v) }
func (v PortlessMode) String() string  { return text(v) }
func (v Keep) String() string          { return text(v) }
func (v IKEMode) String() string       { return text(v) }
func (v Unsolicited) String() string   { return text(v) }
func (v MidStream) String() string     { return text(v) }
func (v Reset) String() string         { return text(v) }
func (v Window) String() string        { return text(v) }
func (v Eviction) String() string      { return text(v) }
func (v Exhausted) String() string     { return text(v) }
func (v AddressChange) String() string { return text(v) }
func (v ErrorMode) String() string     { return text(v) }
