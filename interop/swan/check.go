package swan

import (
	"fmt"
	"slices"
	"strings"

	"github.com/ipseclab/ipseclab/internal/ipsec"
	"github.com/ipseclab/ipseclab/interop/peerconf"
)

// Check finds what a configuration wants and a charon does not have: its package, or the cryptographic
// library under it, was built without. The error is of type *peerconf.Unsupported. Algorithms of ESP and
// AH are looked for only where charon itself protects; what a kernel has nobody lists.
func (o *Configuration) Check(has Algorithms) error {
	for _, p := range o.ikeProposals {
		if err := o.has(has, p.Cipher, encryptions, "encryption"); err != nil {
			return err
		}
		if err := o.has(has, p.Hash, hashes, "integrity"); err != nil {
			return err
		}
		if err := hasGroup(has, p.Group); err != nil {
			return err
		}
	}
	for _, p := range o.childProposals {
		if p.group != 0 {
			if err := hasGroup(has, p.group); err != nil {
				return err
			}
		}
		if !o.kind.Userspace() {
			continue
		}
		if p.Cipher != "null" { // that is no plugin's
			if err := o.has(has, p.Cipher, encryptions, "encryption", "aead"); err != nil {
				return err
			}
		}
		if p.Auth != "" {
			if err := o.has(has, p.Auth, integrities, "integrity"); err != nil {
				return err
			}
		}
	}
	return nil
}

// childProposal is one that was written.
type childProposal struct {
	ipsec.Transform
	group uint16
}

func (o *Configuration) has(has Algorithms, name string, table []Algorithm, kinds ...string) error {
	a, _ := bySuite(table, name)
	if slices.ContainsFunc(kinds, func(kind string) bool { _, ok := has[kind][a.Name]; return ok }) {
		return nil
	}
	return &peerconf.Unsupported{What: name, Why: fmt.Sprintf("this charon has no %s among its algorithms of %s", a.Name, strings.Join(kinds, " and "))}
}

// hasGroup looks under both names of the list: dh of 5.9 is ke of 6.0.
func hasGroup(has Algorithms, number uint16) error {
	g, _ := groupNumbered(number)
	for _, kind := range []string{"dh", "ke"} {
		if _, ok := has[kind][g.Name]; ok {
			return nil
		}
	}
	return &peerconf.Unsupported{What: fmt.Sprintf("Diffie–Hellman group %d", number), Why: "this charon has no " + g.Name}
}
