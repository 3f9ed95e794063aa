package swan

import (
	"fmt"
	"slices"
	"strings"

	"github.com/ipseclab/ipseclab/ike"
	"github.com/ipseclab/ipseclab/internal/ipsec"
	"github.com/ipseclab/ipseclab/internal/suite"
	"github.com/ipseclab/ipseclab/interop/peerconf"
)

// Algorithm is one algorithm in our words and strongSwan's.
type Algorithm struct {
	Suite   string // of package suite, or the hash of a main mode
	Keyword string // in proposals: docs.strongswan.org, "Algorithm Proposals (Cipher Suites)"
	Name    string // in lists of algorithms and of SAs: strongSwan's enumeration names
	Bits    int    // of the key, as lists of SAs have it beside the name; 0: it is not said
}

// The tables are those of strongSwan 5.9 and 6.0: proposal_keywords_static.txt for the keywords,
// crypter.c, signer.c and key_exchange.c for the names.
var (
	encryptions = slices.Concat([]Algorithm{
		{"null", "null", "NULL", 0},
		{"des-cbc", "des", "DES_CBC", 0},
		{"3des-cbc", "3des", "3DES_CBC", 0},
		{"chacha20-poly1305", "chacha20poly1305", "CHACHA20_POLY1305", 0},
	}, aes())

	// HMAC-SHA2-256 is cut to 128 bits, as RFC 4868 has it; sha256_96 is what Linux did before 2.6.33.
	integrities = []Algorithm{
		{"hmac-md5-96", "md5", "HMAC_MD5_96", 0},
		{"hmac-sha1-96", "sha1", "HMAC_SHA1_96", 0},
		{"hmac-sha256-128", "sha256", "HMAC_SHA2_256_128", 0},
		{"hmac-sha384-192", "sha384", "HMAC_SHA2_384_192", 0},
		{"hmac-sha512-256", "sha512", "HMAC_SHA2_512_256", 0},
		{"aes-xcbc-96", "aesxcbc", "AES_XCBC_96", 0},
	}

	// hashes of a main mode: IKEv1 negotiates one, and charon says it by the integrity algorithm
	// that it stands for, and by the PRF of the same hash.
	hashes = []Algorithm{
		{"md5", "md5", "HMAC_MD5_96", 0},
		{"sha1", "sha1", "HMAC_SHA1_96", 0},
		{"sha256", "sha256", "HMAC_SHA2_256_128", 0},
		{"sha384", "sha384", "HMAC_SHA2_384_192", 0},
		{"sha512", "sha512", "HMAC_SHA2_512_256", 0},
	}
)

// Group is a Diffie–Hellman group in strongSwan's words.
type Group struct {
	Number  uint16 // IANA
	Keyword string
	Name    string
}

var groups = []Group{
	{1, "modp768", "MODP_768"}, {2, "modp1024", "MODP_1024"}, {5, "modp1536", "MODP_1536"}, {14, "modp2048", "MODP_2048"},
	{15, "modp3072", "MODP_3072"}, {16, "modp4096", "MODP_4096"}, {17, "modp6144", "MODP_6144"}, {18, "modp8192", "MODP_8192"},
}

func aes() (all []Algorithm) {
	for _, bits := range []int{128, 192, 256} {
		for _, m := range [][3]string{
			{"cbc", "", "AES_CBC"}, {"ctr", "ctr", "AES_CTR"}, {"gmac", "gmac", "NULL_AES_GMAC"},
			{"gcm8", "gcm8", "AES_GCM_8"}, {"gcm12", "gcm12", "AES_GCM_12"}, {"gcm16", "gcm16", "AES_GCM_16"},
			{"ccm8", "ccm8", "AES_CCM_8"}, {"ccm12", "ccm12", "AES_CCM_12"}, {"ccm16", "ccm16", "AES_CCM_16"},
		} {
			all = append(all, Algorithm{fmt.Sprintf("aes%d-%s", bits, m[0]), fmt.Sprintf("aes%d%s", bits, m[1]), m[2], bits})
		}
	}
	return all
}

func bySuite(table []Algorithm, name string) (Algorithm, bool) {
	i := slices.IndexFunc(table, func(a Algorithm) bool { return a.Suite == name })
	if i < 0 {
		return Algorithm{}, false
	}
	return table[i], true
}

// byName finds an algorithm by what a list of SAs says of it. bits is 0 where the list has none.
func byName(table []Algorithm, name string, bits int) (Algorithm, bool) {
	i := slices.IndexFunc(table, func(a Algorithm) bool { return a.Name == name && (a.Bits == bits || a.Bits == 0) })
	if i < 0 {
		return Algorithm{}, false
	}
	return table[i], true
}

func groupNumbered(n uint16) (Group, bool) {
	i := slices.IndexFunc(groups, func(g Group) bool { return g.Number == n })
	if i < 0 {
		return Group{}, false
	}
	return groups[i], true
}

func groupWord(n uint16) (string, error) {
	g, ok := groupNumbered(n)
	if !ok {
		return "", &peerconf.Unsupported{What: fmt.Sprintf("Diffie–Hellman group %d", n), Why: "strongSwan has no word for it"}
	}
	return g.Keyword, nil
}

// IKEProposal writes a main mode's proposal: 3des-sha1-modp1024.
func IKEProposal(p ike.MainModeProposal) (string, error) {
	cipher, ok := bySuite(encryptions, p.Cipher)
	hash, ok2 := bySuite(hashes, p.Hash)
	if !ok || !ok2 {
		return "", &peerconf.Unsupported{What: "main mode with " + p.Cipher + " and " + p.Hash, Why: "strongSwan has no word for it"}
	}
	group, err := groupWord(p.Group)
	if err != nil {
		return "", err
	}
	return cipher.Keyword + "-" + hash.Keyword + "-" + group, nil
}

// ChildProposal writes a proposal of AH or ESP: aes128-sha256-modp2048. group 0 is none.
func ChildProposal(t ipsec.Transform, group uint16) (string, error) {
	var words []string
	if t.Protocol == ipsec.ESP {
		a, ok := bySuite(encryptions, t.Cipher)
		if !ok {
			return "", &peerconf.Unsupported{What: "ESP with " + t.Cipher, Why: "strongSwan has no word for it"}
		}
		words = append(words, a.Keyword)
	}
	if t.Auth != "" {
		a, ok := bySuite(integrities, t.Auth)
		if !ok {
			return "", &peerconf.Unsupported{What: fmt.Sprintf("%v with %s", t.Protocol, t.Auth), Why: "strongSwan has no word for it"}
		}
		words = append(words, a.Keyword)
	} else if c := suite.CipherNamed(t.Cipher); t.Protocol == ipsec.AH || c == nil || !c.AEAD() {
		return "", &peerconf.Unsupported{What: fmt.Sprintf("%v with %s and without integrity", t.Protocol, t.Cipher), Why: "strongSwan wants integrity with every cipher that has none of its own"}
	}
	if group != 0 {
		g, err := groupWord(group)
		if err != nil {
			return "", err
		}
		words = append(words, g)
	}
	if t.ESN {
		words = append(words, "esn")
	}
	return strings.Join(words, "-"), nil
}
