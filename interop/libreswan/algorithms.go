package libreswan

import (
	"fmt"
	"strings"

	"github.com/ipseclab/ipseclab/ike"
	"github.com/ipseclab/ipseclab/internal/ipsec"
	"github.com/ipseclab/ipseclab/interop/peerconf"
)

// The words of libreswan for names of package suite: ipsec.conf(5), ike= and esp=. That pluto 4.10 of Debian takes
// those of the tables, and no others, was seen with whack.
var (
	ciphers = map[string]string{
		"null": "null", "3des-cbc": "3des",
		"aes128-cbc": "aes128", "aes192-cbc": "aes192", "aes256-cbc": "aes256",
		"aes128-ctr": "aes_ctr128", "aes192-ctr": "aes_ctr192", "aes256-ctr": "aes_ctr256",
		"aes128-gcm8": "aes_gcm_a128", "aes192-gcm8": "aes_gcm_a192", "aes256-gcm8": "aes_gcm_a256",
		"aes128-gcm12": "aes_gcm_b128", "aes192-gcm12": "aes_gcm_b192", "aes256-gcm12": "aes_gcm_b256",
		"aes128-gcm16": "aes_gcm_c128", "aes192-gcm16": "aes_gcm_c192", "aes256-gcm16": "aes_gcm_c256",
		"aes128-ccm8": "aes_ccm_a128", "aes192-ccm8": "aes_ccm_a192", "aes256-ccm8": "aes_ccm_a256",
		"aes128-ccm12": "aes_ccm_b128", "aes192-ccm12": "aes_ccm_b192", "aes256-ccm12": "aes_ccm_b256",
		"aes128-ccm16": "aes_ccm_c128", "aes192-ccm16": "aes_ccm_c192", "aes256-ccm16": "aes_ccm_c256",
		"aes128-gmac": "null_auth_aes_gmac128", "aes192-gmac": "null_auth_aes_gmac192", "aes256-gmac": "null_auth_aes_gmac256",
	}
	auths = map[string]string{
		"hmac-md5-96": "md5", "hmac-sha1-96": "sha1", "hmac-sha256-128": "sha2_256", "hmac-sha384-192": "sha2_384", "hmac-sha512-256": "sha2_512",
		"aes-xcbc-96": "aes_xcbc",
	}
	hashes = map[string]string{"md5": "md5", "sha1": "sha1", "sha256": "sha2_256", "sha384": "sha2_384", "sha512": "sha2_512"}
	groups = map[uint16]string{5: "modp1536", 14: "modp2048", 15: "modp3072", 16: "modp4096", 17: "modp6144", 18: "modp8192"}
)

const notBuilt = "pluto 4.10 of Debian is built without it"

// ikeProposal is 3des-sha1;modp2048.
func ikeProposal(p ike.MainModeProposal) (string, error) {
	group, err := groupWord(p.Group)
	if err != nil {
		return "", err
	}
	cipher, ok := ciphers[p.Cipher]
	if !ok {
		return "", &peerconf.Unsupported{What: "main mode with " + p.Cipher, Why: notBuilt}
	}
	hash, ok := hashes[p.Hash]
	if !ok {
		return "", &peerconf.Unsupported{What: "main mode with " + p.Hash, Why: notBuilt}
	}
	return cipher + "-" + hash + ";" + group, nil
}

func groupWord(n uint16) (string, error) {
	g, ok := groups[n]
	if !ok {
		return "", &peerconf.Unsupported{What: fmt.Sprintf("Diffie–Hellman group %d", n), Why: notBuilt}
	}
	return g, nil
}

// childProposals are esp= or ah= of a child.
func childProposals(c *peerconf.Child) (string, error) {
	var all []string
	for _, p := range c.Proposals {
		t := p.Transforms[0]
		var words []string
		if t.Protocol == ipsec.ESP {
			w, ok := ciphers[t.Cipher]
			if !ok {
				return "", &peerconf.Unsupported{What: "ESP with " + t.Cipher, Why: notBuilt}
			}
			words = append(words, w)
		}
		if t.Auth != "" {
			w, ok := auths[t.Auth]
			if !ok {
				return "", &peerconf.Unsupported{What: fmt.Sprintf("%v with %s", t.Protocol, t.Auth), Why: notBuilt}
			}
			words = append(words, w)
		}
		if t.ESN {
			return "", &peerconf.Unsupported{What: "extended sequence numbers", Why: "libreswan has them with IKEv2 alone"}
		}
		all = append(all, strings.Join(words, "-"))
	}
	text := strings.Join(all, ",")
	if c.PFSGroup != 0 {
		g, err := groupWord(c.PFSGroup)
		if err != nil {
			return "", err
		}
		text += ";" + g // one group, for all of them
	}
	return text, nil
}
