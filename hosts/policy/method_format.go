package policy

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/ipseclab/ipseclab/ike"
	"github.com/ipseclab/ipseclab/internal/ipsec"
)

// FormatSecurityMethod prints a proposal in the form that ParseSecurityMethod
// reads. ok is false when the form cannot express it.
func FormatSecurityMethod(p ipsec.Proposal) (s string, ok bool) {
	var parts []string
	for _, t := range slices.Backward(p.Transforms) {
		names := spell(t.Auth, ahAuths)
		if t.Protocol == ipsec.ESP {
			names = spell(t.Cipher, espCiphers)
			if auth := cmp.Or(t.Auth, noIntegrity); !alone(t.Cipher) || t.Auth != "" {
				names += "," + spell(auth, espAuths)
			}
		}
		if t.ESN {
			names += ",ESN"
		}
		parts = append(parts, fmt.Sprintf("%v[%s]", t.Protocol, names))
	}
	s = fmt.Sprintf("%s:%dk/%ds", strings.Join(parts, "+"), p.Lifetime.Kilobytes, int64(p.Lifetime.Duration/time.Second))
	back, err := ParseSecurityMethod(s)
	if err != nil || !slices.Equal(back.Transforms, p.Transforms) || back.Lifetime != p.Lifetime || back.Mode != p.Mode {
		return "", false
	}
	return s, true
}

// FormatMainModeMethod prints a proposal in the form that ParseMainModeMethod
// reads, with netsh's group numbers where it has them. ok is false when the form cannot express it.
func FormatMainModeMethod(p ike.MainModeProposal) (s string, ok bool) {
	for _, g := range mainModeGroups {
		if g.iana != p.Group {
			continue
		}
		s = spell(p.Cipher, mainModeCiphers) + "-" + spell(p.Hash, mainModeHashes) + "-" + g.netsh
		if back, err := ParseMainModeMethod(s); err == nil && back == p {
			return s, true
		}
	}
	return "", false
}

// spell is netsh's word for an algorithm of package suite, "" when it has none.
func spell(suite string, known []algorithm) string {
	for _, a := range known {
		if a.suite == suite && suite != "" {
			return a.netsh
		}
	}
	return ""
}
