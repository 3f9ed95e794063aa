package spec

import (
	"encoding/hex"
	"time"

	"github.com/ipseclab/ipseclab/internal/profile"
)

// Profile is that of the node's operating system.
func (n Node) Profile() (*profile.Profile, bool) {
	if n.OS == "" {
		return nil, false
	}
	return profile.Named(n.OS)
}

// defaults are the settings of an operating system, where the node has none of its own.
func (s *IPsec) defaults(p *profile.Profile) {
	if !p.IPsec {
		s.NoIKE = true
		return
	}
	if s.NoDefaultExempt == nil {
		s.NoDefaultExempt = p.NoDefaultExempt
	}
	s.IPv6 = or(s.IPv6, p.IPv6)
	if !p.BootFiltering {
		s.BootMode = BootPermit
	}
	s.SAIdleTime = or(s.SAIdleTime, Duration(p.SAIdleTime))
	s.FirstGeneration = s.FirstGeneration || p.FirstGeneration
	s.ShortenMainMode = s.ShortenMainMode || p.ShortenMainMode
	if p.FallBackAfter != 0 {
		var f FallBack
		if s.FallBack != nil {
			f = *s.FallBack
		}
		f.After = or(f.After, Duration(p.FallBackAfter))
		f.OnFailure = f.OnFailure || p.FallBackOnFailure
		s.FallBack = &f
	}
	if s.Retransmit == nil {
		for _, gap := range p.Retransmit {
			s.Retransmit = append(s.Retransmit, Duration(gap))
		}
	}
	if s.VendorIDs == nil {
		s.VendorIDs = p.VendorIDs
		s.FastFailover = s.FastFailover || p.FastFailover
	}
	s.DoSProtection = or(s.DoSProtection, p.DoSProtection)
	s.Traversal.defaults(p)
	if s.ReliableDelete == nil {
		s.ReliableDelete = &p.ReliableDelete
	}
	var f Fragmentation
	if s.Fragmentation != nil {
		f = *s.Fragmentation
	}
	f.Form = or(f.Form, or(p.IKEFragmentation, FragmentsNone))
	s.Fragmentation = &f
	if s.DPD == nil && p.DPD {
		s.DPD = &DPD{}
	}
}

// Forms of IKE fragmentation.
const (
	FragmentsWindows = "windows"
	FragmentsCisco   = "cisco"
	FragmentsNone    = "none"
)

// Repeats is how often a Delete is repeated that is not acknowledged; 0: none is acknowledged.
func (s IPsec) Repeats() int {
	if s.ReliableDelete == nil {
		return 6
	}
	return *s.ReliableDelete
}

// Fragments is how IKE messages are sent in fragments, with its form filled in.
func (s IPsec) Fragments() Fragmentation {
	var f Fragmentation
	if s.Fragmentation != nil {
		f = *s.Fragmentation
	}
	f.Form = or(f.Form, FragmentsWindows)
	return f
}

// Gaps are the times between the copies of an unanswered IKE message; nil is the default of the engine.
func (s IPsec) Gaps() (gaps []time.Duration) {
	for _, g := range s.Retransmit {
		gaps = append(gaps, g.Span())
	}
	return gaps
}

// Vendors are the vendor IDs of the first IKE message; nil is the default of hosts, and empty none.
func (s IPsec) Vendors() [][]byte {
	if s.VendorIDs == nil {
		return nil
	}
	ids := [][]byte{}
	for _, text := range s.VendorIDs {
		if b, err := hex.DecodeString(text); err == nil { // Check has refused others
			ids = append(ids, b)
		}
	}
	return ids
}

// os checks the operating system of a node.
func (c *checker) os(path, name string, n Node) {
	if n.OS == "" {
		return
	}
	p, ok := n.Profile()
	switch {
	case n.Router():
		c.key(child(path, "os"), "os: %s is a router and has no IPsec", name)
	case !ok:
		c.at(child(path, "os"), "os: no profile is called %q (ipseclab profiles lists them)%s", shorten(n.OS), Suggest(n.OS, profile.Names()))
	case p.IPsec && !p.BootFiltering && n.IPsec != nil && (n.IPsec.BootMode != "" && n.IPsec.BootMode != BootPermit || len(n.IPsec.BootExemptions) > 0):
		c.at(child(path, "ipsec"), "ipsec: %s (os: %s) does not filter before its policy agent has started, and has no boot-mode and no boot-exemptions", p.Title, n.OS)
	case !p.IPsec && n.IPsec != nil:
		at := child(path, "ipsec")
		for _, key := range present(n.IPsec) {
			if key != "no-ike" {
				c.key(child(at, key), "%s: %s (os: %s) does not know IPsec, and has no such setting", key, p.Title, n.OS)
			}
		}
		if key := child(at, "no-ike"); !n.IPsec.NoIKE && c.s.src != nil && c.s.src.keys[key] != (position{}) {
			c.key(key, "no-ike: %s (os: %s) does not know IPsec: leave out os or this", p.Title, n.OS)
		}
	}
}

// The bounds of what IKE sends and how often.
const (
	maxGaps      = 20
	maxVendorIDs = 20
	maxVendorID  = 256
	maxHalfOpen  = 65536
	minNonce     = 8
	maxNonce     = 256
)

// keying checks the settings of a node's IKE.
func (c *checker) keying(path string, s *IPsec) {
	if s.Retransmit != nil && (len(s.Retransmit) == 0 || len(s.Retransmit) > maxGaps) {
		c.at(child(path, "retransmit"), "retransmit: want 1 to %d time spans, got %d", maxGaps, len(s.Retransmit))
	}
	for i, g := range s.Retransmit {
		if at := item(child(path, "retransmit"), i); g <= 0 || g.Span() > time.Hour {
			c.at(at, "retransmit: a copy is sent more than 0s and at most 1h after the one before, not %s", g)
		}
	}
	if n := s.ReliableDelete; n != nil && (*n < 0 || *n > 32) {
		c.at(child(path, "reliable-delete"), "reliable-delete: want 0 to 32 copies, got %d", *n)
	}
	if f := s.Fragmentation; f != nil {
		at := child(path, "ike-fragmentation")
		switch f.Form {
		case "", FragmentsWindows, FragmentsCisco, FragmentsNone:
		default:
			c.at(child(at, "form"), "form: want windows, cisco or none, got %q", shorten(f.Form))
		}
		if f.Size != 0 && (f.Size < 360 || f.Size > 65535) {
			c.at(child(at, "size"), "size: want 360 to 65535 bytes, got %d", f.Size)
		}
	}
	if d := s.DPD; d != nil {
		at := child(path, "dpd")
		c.upToADay(at, "idle", d.Idle)
		c.upToADay(at, "retry", d.Retry)
		if d.Tries < 0 || d.Tries > 100 {
			c.at(child(at, "tries"), "tries: want 0 to 100, got %d", d.Tries)
		}
	}
	c.traversal(path, &s.Traversal)
	if s.HalfOpen != 0 {
		c.between(path, "half-open", s.HalfOpen, 1, maxHalfOpen)
	}
	if s.HalfOpenPerSource != 0 {
		c.between(path, "half-open-per-source", s.HalfOpenPerSource, 1, maxHalfOpen)
	}
	if s.NonceLength != 0 {
		c.between(path, "nonce-length", s.NonceLength, minNonce, maxNonce)
	}
	if c.span(path, "main-mode-margin", s.MainModeMargin); s.MainModeMargin > 0 && s.NoMainModeRekey {
		c.at(child(path, "main-mode-margin"), "main-mode-margin: no-main-mode-rekey leaves nothing to do so long before the end")
	}
	if c.span(path, "main-mode-spread", s.MainModeSpread); s.MainModeSpread > 0 && s.NoMainModeRekey {
		c.at(child(path, "main-mode-spread"), "main-mode-spread: no-main-mode-rekey leaves nothing to do so long before the end")
	}
	if len(s.VendorIDs) > maxVendorIDs {
		c.at(child(path, "vendor-ids"), "vendor-ids: at most %d, got %d", maxVendorIDs, len(s.VendorIDs))
	}
	for i, id := range s.VendorIDs {
		if b, err := hex.DecodeString(id); err != nil || len(b) == 0 || len(b) > maxVendorID {
			c.at(item(child(path, "vendor-ids"), i), "vendor-ids: want 1 to %d bytes in hexadecimal, got %q", maxVendorID, shorten(id))
		}
	}
}

func (c *checker) upToADay(path, key string, d Duration) {
	if d.Span() > 24*time.Hour {
		c.at(child(path, key), "%s: want at most 24h, got %s", key, d)
	}
}

// noPersistent reports a persistent policy for a host that cannot have one.
func (c *checker) noPersistent(path, host string) bool {
	n := c.s.Nodes[host]
	p, ok := n.Profile()
	if !ok || !p.IPsec || p.PersistentPolicy {
		return false
	}
	c.at(path, "%s is %s (os: %s), which has no persistent policy", host, p.Title, n.OS)
	return true
}

// noPolicy reports a policy for a host that cannot have one.
func (c *checker) noPolicy(path, what, host string) bool {
	n := c.s.Nodes[host]
	switch p, ok := n.Profile(); {
	case ok && !p.IPsec:
		c.key(path, "%s: %s is %s (os: %s), which does not know IPsec and has no policy", what, host, p.Title, n.OS)
	case n.Settings().NoIKE:
		c.key(path, "%s: %s has no IKE (no-ike: true), and so no IPsec policy", what, host)
	default:
		return false
	}
	return true
}
