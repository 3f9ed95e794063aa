package policy

import (
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/ipseclab/ipseclab/ike"
	"github.com/ipseclab/ipseclab/internal/ipsec"
)

// Lifetimes of a quick mode whose security method names none. A method that
// names one of them keeps the default of the other (KB2790970). They are offered
// to the peer. HP's J4256-90025, p. 44 saw Windows offer no lifetime when none is
// configured: for that, write 0k/0s, which leaves the SA the 28,800 s of RFC 2407,
// Section 4.5.
const (
	DefaultQuickModeSeconds   = 3600
	DefaultQuickModeKilobytes = 100000
)

// algorithm is one spelling in netsh and the name in package suite. An empty
// suite name is one that Windows knows and this project does not support.
type algorithm struct{ netsh, suite string }

// noIntegrity stands for the empty Auth of a transform.
const noIntegrity = "none"

var (
	espCiphers = []algorithm{
		{"DES", "des-cbc"}, {"3DES", "3des-cbc"}, {"AES128", "aes128-cbc"}, {"AES192", "aes192-cbc"}, {"AES256", "aes256-cbc"},
		{"AES128-GCM", "aes128-gcm16"}, {"AES192-GCM", "aes192-gcm16"}, {"AES256-GCM", "aes256-gcm16"},
		{"None", "null"},
	}
	ahAuths = []algorithm{
		{"MD5", "hmac-md5-96"}, {"SHA1", "hmac-sha1-96"}, {"SHA256", "hmac-sha256-128"}, {"SHA384", "hmac-sha384-192"}, {"SHA512", "hmac-sha512-256"},
	}
	espAuths = append(slices.Clip(ahAuths), algorithm{"None", noIntegrity})

	mainModeCiphers = []algorithm{
		{"DES", "des-cbc"}, {"3DES", "3des-cbc"}, {"AES128", "aes128-cbc"}, {"AES192", "aes192-cbc"}, {"AES256", "aes256-cbc"},
	}
	mainModeHashes = []algorithm{
		{"MD5", "md5"}, {"SHA1", "sha1"}, {"SHA256", "sha256"}, {"SHA384", "sha384"}, {"SHA512", "sha512"},
	}
)

// mainModeGroups are netsh's numbers and the IANA ones: "group 3" of Windows,
// 2048 bits, is IANA group 14 (claim C070). The groups that netsh does not have
// go by their IANA numbers.
var mainModeGroups = []struct {
	netsh string
	iana  uint16
}{{"1", 1}, {"2", 2}, {"3", 14}, {"5", 5}, {"14", 14}, {"15", 15}, {"16", 16}, {"17", 17}, {"18", 18}}

func aead(cipher string) bool { return strings.HasSuffix(cipher, "-gcm16") }

// ParseSecurityMethod reads one quick-mode security method in the form of
// netsh, upper or lower case, without spaces:
//
//	ESP[3DES,SHA1]:100000k/3600s    encryption and integrity
//	ESP[None,SHA1]                  integrity alone
//	AH[SHA1]                        integrity of the addresses, too
//	AH[SHA1]+ESP[3DES,None]         both, AH outside; then ESP may be without integrity
//
// Ciphers are DES and 3DES, integrity is MD5 or SHA1. Beyond Windows Server 2003,
// there are AES128, AES192 and AES256, SHA256, SHA384 and SHA512; AES128-GCM,
// AES192-GCM and AES256-GCM have integrity of their own: "ESP[AES128-GCM]". The
// lifetime, or either half of it, may be left out (see DefaultQuickModeSeconds);
// 0 is no bound of that kind. The proposal is for transport mode. Errors are of
// type *MethodError.
func ParseSecurityMethod(s string) (ipsec.Proposal, error) {
	c, err := newCursor("security method", s)
	if err != nil {
		return ipsec.Proposal{}, err
	}
	p := ipsec.Proposal{Mode: ipsec.Transport}
	for more := true; more; more = c.take('+') {
		t, err := c.transform(p.Transforms)
		if err != nil {
			return ipsec.Proposal{}, err
		}
		p.Transforms = append([]ipsec.Transform{t}, p.Transforms...) // innermost first; netsh writes the outermost first
	}
	if p.Lifetime, err = c.lifetime(); err != nil {
		return ipsec.Proposal{}, err
	}
	return p, nil
}

// transform reads "AH[SHA1]" or "ESP[3DES,SHA1]", inside what has been read before.
func (c *cursor) transform(outside []ipsec.Transform) (t ipsec.Transform, err error) {
	start := c.at
	switch word := c.word("[+:"); {
	case strings.EqualFold(word, "AH"):
		t.Protocol = ipsec.AH
	case strings.EqualFold(word, "ESP"):
		t.Protocol = ipsec.ESP
	default:
		c.at = start
		return t, c.errorf("unknown protocol %q; supported: ESP, AH, AH and ESP", word)
	}
	switch {
	case len(outside) > 0 && (len(outside) > 1 || outside[0].Protocol != ipsec.AH || t.Protocol != ipsec.ESP):
		c.at = start
		return t, c.errorf("AH and ESP together are written AH[SHA1]+ESP[3DES,SHA1]")
	case !c.take('['):
		return t, c.errorf("expected [ and the algorithms, as in %s", example(t.Protocol))
	}
	if t.Protocol == ipsec.AH {
		t.Auth, err = c.name("integrity", "],", ahAuths)
	} else {
		t.Cipher, t.Auth, err = c.espAlgorithms(len(outside) > 0)
	}
	switch {
	case err != nil:
		return t, err
	case !c.take(']'):
		return t, c.errorf("expected ]")
	}
	return t, nil
}

func example(p ipsec.Protocol) string {
	if p == ipsec.AH {
		return "AH[SHA1]"
	}
	return "ESP[3DES,SHA1]"
}

// espAlgorithms reads the "3DES,SHA1" of ESP.
func (c *cursor) espAlgorithms(insideAH bool) (cipher, auth string, err error) {
	if cipher, err = c.name("encryption", ",]", espCiphers); err != nil {
		return "", "", err
	}
	hasAuth := c.take(',')
	switch {
	case hasAuth && aead(cipher):
		c.at--
		return "", "", c.errorf("an AES-GCM method has no integrity algorithm of its own: write ESP[AES128-GCM]")
	case !hasAuth && aead(cipher):
		return cipher, "", nil
	case !hasAuth:
		return "", "", c.errorf("expected a comma and the integrity algorithm, as in ESP[3DES,SHA1]")
	}
	start := c.at
	if auth, err = c.name("integrity", "]", espAuths); err != nil {
		return "", "", err
	}
	if auth != noIntegrity {
		return cipher, auth, nil
	}
	switch c.at = start; {
	case cipher == "null":
		return "", "", c.errorf("ESP needs encryption or integrity")
	case !insideAH:
		return "", "", c.errorf("unsupported: ESP without integrity, unless inside AH, as in AH[SHA1]+ESP[3DES,None]")
	}
	c.at += len(noIntegrity)
	return cipher, "", nil
}

// lifetime reads ":100000k/3600s", either half of it, or nothing.
func (c *cursor) lifetime() (ipsec.Lifetime, error) {
	l := ipsec.Lifetime{Duration: DefaultQuickModeSeconds * time.Second, Kilobytes: DefaultQuickModeKilobytes}
	if c.done() {
		return l, nil
	}
	if !c.take(':') {
		return l, c.errorf("expected the end or a lifetime, as in :100000k/3600s")
	}
	n, unit, err := c.number()
	if err != nil {
		return l, err
	}
	if unit == 'k' {
		l.Kilobytes = n
		if c.done() {
			return l, nil
		}
		if !c.take('/') {
			return l, c.errorf("expected / and the seconds, as in 100000k/3600s")
		}
		if n, unit, err = c.number(); err != nil {
			return l, err
		}
		if unit == 'k' {
			c.at--
			return l, c.errorf("expected seconds after the kilobytes, as in 100000k/3600s")
		}
	}
	l.Duration = time.Duration(n) * time.Second
	if !c.done() {
		return l, c.errorf("expected the end; a lifetime is kilobytes, then seconds, as in 100000k/3600s")
	}
	return l, nil
}

// number reads digits and their unit, k or s. Both lifetimes travel as 32-bit
// numbers (RFC 2407, Section 4.5).
func (c *cursor) number() (uint64, byte, error) {
	start := c.at
	for !c.done() && c.text[c.at] >= '0' && c.text[c.at] <= '9' {
		c.at++
	}
	n, err := strconv.ParseUint(c.text[start:c.at], 10, 32)
	switch {
	case c.at == start:
		return 0, 0, c.errorf("expected a number of kilobytes (k) or seconds (s)")
	case err != nil:
		c.at = start
		return 0, 0, c.errorf("a lifetime is at most 4294967295")
	case c.take('k'), c.take('K'):
		return n, 'k', nil
	case c.take('s'), c.take('S'):
		return n, 's', nil
	}
	return 0, 0, c.errorf("expected the unit of the lifetime, k or s")
}

// ParseMainModeMethod reads one main-mode security method in the form of netsh,
// cipher-hash-group: "3DES-SHA1-2". Ciphers are DES and 3DES, hashes MD5 and SHA1,
// and groups 1 (768 bits), 2 (1024) and 3 (2048), as Windows Server 2003 has
// them. Beyond it, there are AES128, AES192 and AES256, SHA256, SHA384 and SHA512,
// and groups by their IANA numbers: 5 (1536 bits), 14 (2048, the same as 3), 15
// (3072), 16 (4096), 17 (6144) and 18 (8192). Errors are of type *MethodError.
func ParseMainModeMethod(s string) (ike.MainModeProposal, error) {
	var p ike.MainModeProposal
	c, err := newCursor("main-mode method", s)
	if err != nil {
		return p, err
	}
	if p.Cipher, err = c.name("encryption", "-", mainModeCiphers); err != nil {
		return ike.MainModeProposal{}, err
	}
	if !c.take('-') {
		return ike.MainModeProposal{}, c.errorf("expected - and the hash, as in 3DES-SHA1-2")
	}
	if p.Hash, err = c.name("hash", "-", mainModeHashes); err != nil {
		return ike.MainModeProposal{}, err
	}
	if !c.take('-') {
		return ike.MainModeProposal{}, c.errorf("expected - and the group, as in 3DES-SHA1-2")
	}
	p.Group, err = c.group()
	if err != nil {
		return ike.MainModeProposal{}, err
	}
	return p, nil
}

func (c *cursor) group() (uint16, error) {
	rest := c.text[c.at:]
	for _, g := range mainModeGroups {
		if rest == g.netsh {
			return g.iana, nil
		}
	}
	return 0, c.errorf("unknown group %q; supported: 1, 2, 3 (2048 bits, as 14), 5, 14 to 18", rest)
}
