package matrix

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// System is what can take a role: the lab's own host, or an image with a real daemon.
type System string

// The systems.
const (
	Lab           System = "lab"
	StrongSwan59  System = "strongswan-5.9"
	StrongSwan60  System = "strongswan-6.0"
	Libreswan     System = "libreswan"
	OpenIKED      System = "openiked"
	IKEScan       System = "ike-scan"
	roleInitiator        = "initiator"
	roleResponder        = "responder"
)

// Systems are all systems, in the order of columns.
func Systems() []System {
	return []System{Lab, StrongSwan59, StrongSwan60, Libreswan, OpenIKED, IKEScan}
}

// Driver is a way to run real peers.
type Driver string

// The drivers.
const (
	Virtual   Driver = "virtual" // none: both roles are the lab's, in virtual time
	UML       Driver = "uml"
	Container Driver = "container"
	Namespace Driver = "namespace"
)

// Drivers are all drivers, in the order of columns.
func Drivers() []Driver { return []Driver{Virtual, UML, Container, Namespace} }

// Pair is who starts and who answers. Its text is initiator→responder, or with -> between.
type Pair struct{ Initiator, Responder System }

func (p Pair) String() string { return string(p.Initiator) + "→" + string(p.Responder) }

// UnmarshalText reads a pair of known systems.
func (p *Pair) UnmarshalText(b []byte) error {
	i, r, ok := strings.Cut(strings.ReplaceAll(string(b), "->", "→"), "→")
	if !ok {
		return errors.New("want a pair of systems, initiator→responder")
	}
	for _, s := range []*string{&i, &r} {
		*s = strings.TrimSpace(*s)
		if !slices.Contains(Systems(), System(*s)) {
			return fmt.Errorf("want a pair of the systems %s", join(Systems()))
		}
	}
	if System(r) == IKEScan {
		return fmt.Errorf("%s asks, and never answers", IKEScan)
	}
	p.Initiator, p.Responder = System(i), System(r)
	return nil
}

// defaultPairs are the columns where cases.yaml names none: the lab with itself, and in both roles
// with each daemon that can do what the lab does.
func defaultPairs() []Pair {
	pairs := []Pair{{Lab, Lab}}
	for _, s := range []System{StrongSwan59, StrongSwan60, Libreswan} {
		pairs = append(pairs, Pair{Lab, s}, Pair{s, Lab})
	}
	return pairs
}

// drivers are those under which the pair can run.
func (p Pair) drivers() []Driver {
	if p.Initiator == Lab && p.Responder == Lab {
		return []Driver{Virtual}
	}
	return []Driver{UML, Container, Namespace}
}

func join[T ~string](all []T) string {
	words := make([]string, len(all))
	for i, v := range all {
		words[i] = string(v)
	}
	return strings.Join(words, ", ")
}
