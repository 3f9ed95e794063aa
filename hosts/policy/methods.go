package policy

import (
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/ipseclab/ipseclab/ike"
	"github.com/ipseclab/ipseclab/internal/ipsec"
	"github.com/ipseclab/ipseclab/internal/suite"
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

// algorithm is one spelling in netsh and the name in package suite, or, without one, why
// the lab does not have it.
type algorithm struct {
	netsh, suite string
	why          string
	more         bool // errors that list what there is leave it out
}

// noIntegrity stands for the empty Auth of a transform.
const noIntegrity = "none"

var (
	espCiphers = slices.Concat([]algorithm{
		{netsh: "DES", suite: "des-cbc"}, {netsh: "3DES", suite: "3des-cbc"},
		{netsh: "AES128", suite: "aes128-cbc"}, {netsh: "AES192", suite: "aes192-cbc"}, {netsh: "AES256", suite: "aes256-cbc"},
		{netsh: "AES128-GCM", suite: "aes128-gcm16"}, {netsh: "AES192-GCM", suite: "aes192-gcm16"}, {netsh: "AES256-GCM", suite: "aes256-gcm16"},
	}, moreAES(), []algorithm{
		{netsh: "DES-IV32", suite: "des-iv32"}, {netsh: "DES-IV64", suite: "des-iv64"},
		{netsh: "None", suite: "null"},
		{netsh: "ChaCha20-Poly1305", why: ike.Unnumbered("chacha20-poly1305")},
		{netsh: "Camellia128", why: noCamellia}, {netsh: "Camellia192", why: noCamellia}, {netsh: "Camellia256", why: noCamellia},
	})
	hmacs = []algorithm{
		{netsh: "MD5", suite: "hmac-md5-96"}, {netsh: "SHA1", suite: "hmac-sha1-96"}, {netsh: "SHA256", suite: "hmac-sha256-128"},
		{netsh: "SHA384", suite: "hmac-sha384-192"}, {netsh: "SHA512", suite: "hmac-sha512-256"}, {netsh: "AES128-XCBC", suite: "aes-xcbc-96"},
	}
	ahAuths = append(slices.Clip(hmacs),
		algorithm{netsh: "AES128-GMAC", suite: "aes128-gmac"}, algorithm{netsh: "AES192-GMAC", suite: "aes192-gmac"}, algorithm{netsh: "AES256-GMAC", suite: "aes256-gmac"},
		algorithm{netsh: "KPDK", suite: "keyed-md5"},
		algorithm{netsh: "MD5-Replay", why: ike.Unnumbered("hmac-md5-replay")})
	espAuths = append(slices.Clip(hmacs), algorithm{netsh: "None", suite: noIntegrity})

	mainModeCiphers = []algorithm{
		{netsh: "DES", suite: "des-cbc"}, {netsh: "3DES", suite: "3des-cbc"},
		{netsh: "AES128", suite: "aes128-cbc"}, {netsh: "AES192", suite: "aes192-cbc"}, {netsh: "AES256", suite: "aes256-cbc"},
	}
	mainModeHashes = []algorithm{
		{netsh: "MD5", suite: "md5"}, {netsh: "SHA1", suite: "sha1"}, {netsh: "SHA256", suite: "sha256"}, {netsh: "SHA384", suite: "sha384"}, {netsh: "SHA512", suite: "sha512"},
	}
)

const noCamellia = "no library that is maintained has Camellia (RFC 4312)"

// moreAES are the other modes of AES, those with 192 and 256 bits left out of lists. GCM16 is
// another word for what Windows calls GCM.
func moreAES() (all []algorithm) {
	for _, mode := range []string{"CTR", "GMAC", "GCM8", "GCM12", "GCM16", "CCM8", "CCM12", "CCM16"} {
		for _, bits := range []string{"128", "192", "256"} {
			word := "AES" + bits + "-" + mode
			all = append(all, algorithm{netsh: word, suite: strings.ToLower(word), more: bits != "128"})
		}
	}
	return all
}

// mainModeGroups are netsh's numbers and the IANA ones: "group 3" of Windows,
// 2048 bits, is IANA group 14 (claim C070). The groups that netsh does not have
// go by their IANA numbers.
var mainModeGroups = []struct {
	netsh string
	iana  uint16
}{{"1", 1}, {"2", 2}, {"3", 14}, {"5", 5}, {"14", 14}, {"15", 15}, {"16", 16}, {"17", 17}, {"18", 18}}

// alone reports whether a cipher takes no integrity algorithm: it has integrity of its own,
// or it is of the first generation, which had none in ESP.
func alone(cipher string) bool {
	c := suite.CipherNamed(cipher)
	return c != nil && (c.AEAD() || c.Numbering != suite.Sequence)
}

// ParseSecurityMethod reads one quick-mode security method in the form of
// netsh, upper or lower case, without spaces:
//
//	ESP[3DES,SHA1]:100000k/3600s    encryption and integrity
//	ESP[None,SHA1]                  integrity alone
//	AH[SHA1]                        integrity of the addresses, too
//	AH[SHA1]+ESP[3DES,None]         both, AH outside; then ESP may be without integrity
//	ESP[AES128-GCM,ESN]             with extended sequence numbers (RFC 4303, Section 2.2.1)
//
// Ciphers are DES and 3DES, integrity is MD5 or SHA1. Beyond Windows Server 2003,
// there are AES128, AES192 and AES256, also with -CTR, and SHA256, SHA384, SHA512 and
// AES128-XCBC. With -GCM8, -GCM12, -GCM (or -GCM16), -CCM8, -CCM12 and -CCM16, where the number
// is that of the bytes of the tag, AES has integrity of its own: "ESP[AES128-GCM]". With
// -GMAC it has nothing else, in ESP as in AH. DES-IV32 and DES-IV64 of ESP and KPDK of AH are
// of the first generation (RFC 1829, RFC 1828), see Options.FirstGeneration. The
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
	if err != nil {
		return t, err
	}
	start = c.at
	switch t.ESN = c.esn(); {
	case t.ESN && old(t):
		c.at = start + 1
		return t, c.errorf("packets of the first generation have no sequence number to extend")
	case !c.take(']'):
		return t, c.errorf("expected ]")
	}
	return t, nil
}

// esn takes ",ESN" if that is next.
func (c *cursor) esn() bool {
	rest := c.text[c.at:]
	if len(rest) < len(",ESN") || !strings.EqualFold(rest[:len(",ESN")], ",ESN") {
		return false
	}
	c.at += len(",ESN")
	return true
}

// old reports whether a transform is of the first generation of AH and ESP, whose packets are
// numbered otherwise or not at all (RFC 1826, RFC 1827).
func old(t ipsec.Transform) bool {
	c, a := suite.CipherNamed(t.Cipher), suite.AuthNamed(t.Auth)
	return c != nil && c.Numbering != suite.Sequence || a != nil && a.Numbering != suite.Sequence
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
	if word := spell(cipher, espCiphers); alone(cipher) {
		switch rest := c.text[c.at:]; {
		case !strings.HasPrefix(rest, ",") || len(rest) >= 4 && strings.EqualFold(rest[:4], ",ESN"):
			return cipher, "", nil
		case suite.CipherNamed(cipher).AEAD():
			return "", "", c.errorf("%s has integrity of its own and takes no algorithm for it: write ESP[%s]", word, word)
		}
		return "", "", c.errorf("%s takes no integrity algorithm: write ESP[%s], which AH may be around", word, word)
	}
	hasAuth := c.take(',')
	switch {
	case !hasAuth:
		return "", "", c.errorf("expected a comma and the integrity algorithm, as in ESP[3DES,SHA1]")
	}
	start := c.at
	if auth, err = c.name("integrity", "],", espAuths); err != nil {
		return "", "", err
	}
	if auth != noIntegrity {
		return cipher, auth, nil
	}
	switch c.at = start; {
	case cipher == "null":
		return "", "", c.errorf("ESP needs encryption or integrity")
	case suite.CipherNamed(cipher).Counter():
		return "", "", c.errorf("%s needs an integrity algorithm in ESP (RFC 3686, Section 7)", spell(cipher, espCiphers))
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
