package profile

import (
	"encoding/hex"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/ipseclab/ipseclab/internal/sourced"
)

// Key is a subject on which profiles have values.
type Key = sourced.Key[Profile]

// Keys are all of them, those that the lab acts on first.
func Keys() []Key { return slices.Clone(keys) }

var keys = []Key{
	acts("ipsec", "whether it knows IPsec: a host without has no IKE, and takes no policy", flag(func(p *Profile) *bool { return &p.IPsec })),
	acts("no-default-exempt", "what passes before all filters, the host's setting of that name", special(exempt)),
	acts("ipv6", "whether policies are for IPv6 (policy) or IPv6 passes them (bypass)", word(func(p *Profile) *string { return &p.IPv6 }, "policy", "bypass")),
	acts("protocols", "protocols of security methods", words(func(p *Profile) *[]string { return &p.Protocols }, "ESP", "AH")),
	acts("modes", "transport, tunnel or both", words(func(p *Profile) *[]string { return &p.Modes }, "transport", "tunnel")),
	acts("main-mode-ciphers", "ciphers of main mode", words(func(p *Profile) *[]string { return &p.MainModeCiphers }, ciphers...)),
	acts("main-mode-hashes", "hashes of main mode", words(func(p *Profile) *[]string { return &p.MainModeHashes }, hashes...)),
	acts("main-mode-groups", "Diffie–Hellman groups by their IANA numbers; 14 is group 3 of Windows", special(groups)),
	acts("main-mode-default", "what a policy offers in main mode that names nothing", words(func(p *Profile) *[]string { return &p.MainModeDefault })),
	acts("main-mode-offers", "how many offers a main mode may have", number(func(p *Profile) *int { return &p.MainModeOffers })),
	acts("main-mode-lifetime", "lifetime of main modes of a policy that names none", duration(func(p *Profile) *time.Duration { return &p.MainModeLifetime })),
	acts("main-mode-quick-modes", "quick modes per main mode of a policy without a limit", number(func(p *Profile) *int { return &p.MainModeQuickModes })),
	acts("shorten-main-mode", "whether a responder keeps to its own shorter lifetime and says so", flag(func(p *Profile) *bool { return &p.ShortenMainMode })),
	acts("esp-ciphers", "ciphers of ESP; None is ESP for integrity alone", words(func(p *Profile) *[]string { return &p.ESPCiphers }, append(slices.Clone(ciphers), "None")...)),
	acts("integrity", "integrity algorithms of AH and ESP", words(func(p *Profile) *[]string { return &p.Integrity }, hashes...)),
	acts("extended-sequence-numbers", "whether AH and ESP can have sequence numbers of 64 bits", flag(func(p *Profile) *bool { return &p.ExtendedSequence })),
	acts("first-generation", "whether it knows AH and ESP of 1995 (RFC 1828, RFC 1829), the host's setting of that name", flag(func(p *Profile) *bool { return &p.FirstGeneration })),
	acts("authentication", "how peers may authenticate", words(func(p *Profile) *[]string { return &p.Authentication }, "kerberos", "certificates", "psk", "dss-signature", "rsa-encryption", "revised-rsa-encryption")),
	acts("authentication-on-permit", "whether rules that permit or block need the authentication of those that negotiate", flag(func(p *Profile) *bool { return &p.AuthenticationOnPermit })),
	acts("my-address", "whether filters can name the host's own addresses as me", flag(func(p *Profile) *bool { return &p.MyAddress })),
	acts("one-way-filters", "whether filters can be for one direction alone", flag(func(p *Profile) *bool { return &p.OneWayFilters })),
	acts("server-filters", "whether filters can be for the DNS, WINS and DHCP servers and the gateway", flag(func(p *Profile) *bool { return &p.ServerFilters })),
	acts("fall-back", "whether filter actions can fall back to clear", flag(func(p *Profile) *bool { return &p.FallBack })),
	acts("fall-back-after", "silence of the peer before it does", duration(func(p *Profile) *time.Duration { return &p.FallBackAfter })),
	acts("fall-back-on-failure", "whether it falls back also where the peer answers and no main mode comes of it", flag(func(p *Profile) *bool { return &p.FallBackOnFailure })),
	acts("inbound-passthrough", "whether filter actions can accept what is unsecured", flag(func(p *Profile) *bool { return &p.InboundPassthrough })),
	acts("default-response", "whether policies can have the default response rule", flag(func(p *Profile) *bool { return &p.DefaultResponse })),
	acts("persistent-policy", "whether a persistent policy can be in force beside another", flag(func(p *Profile) *bool { return &p.PersistentPolicy })),
	acts("boot-filtering", "whether the driver can filter before the policy agent has started", flag(func(p *Profile) *bool { return &p.BootFiltering })),
	acts("sa-idle-time", "when SAs end that nothing uses", duration(func(p *Profile) *time.Duration { return &p.SAIdleTime })),
	acts("retransmit", "gaps between copies of an unanswered IKE message", special(durations)),
	acts("xauth", "extended authentication of users after phase 1", flag(func(p *Profile) *bool { return &p.XAuth })),
	acts("mode-config", "inner addresses that one side of a main mode gives the other", flag(func(p *Profile) *bool { return &p.ModeConfig })),
	acts("new-group-mode", "private Diffie–Hellman groups", flag(func(p *Profile) *bool { return &p.NewGroupMode })),
	acts("vendor-ids", "vendor IDs in the first IKE message: those of the system, and of extensions that the lab speaks", special(vendorIDs)),
	acts("reliable-delete", "copies of a Delete that a peer of Microsoft's does not acknowledge; 0: none is acknowledged", copies(func(p *Profile) *int { return &p.ReliableDelete })),
	acts("ike-fragmentation", "fragments of IKE messages: as Windows, or as Cisco sends them, or none", word(func(p *Profile) *string { return &p.IKEFragmentation }, "windows", "cisco", "none")),
	acts("nat-traversal", "versions of NAT traversal that it announces, in the order of their vendor IDs: drafts 00 to 03, 02n with a newline in its name, and RFC 3947", special(natTraversal)),
	acts("assume-udp-encapsulation", "AssumeUDPEncapsulationContextOnSendRule: whether it starts SAs with a responder behind a NAT: 0 no, 1 if it is behind none itself, 2 yes", special(assumeUDP)),
	acts("nat-keep-alive", "silence after which it sends a keep-alive from behind a NAT; 0: never", special(natKeepAlive)),
	acts("nat-originals", "when it tells its addresses by NAT-OA", word(func(p *Profile) *string { return &p.NATOriginals }, "always", "behind", "never")),
	acts("dpd", "dead peer detection: whether it is announced, and peers that ask are answered", flag(func(p *Profile) *bool { return &p.DPD })),
	acts("fast-failover", "whether the first IKE message says by a vendor ID that there is no main mode with the peer", flag(func(p *Profile) *bool { return &p.FastFailover })),
	acts("dos-protection", "cookies against floods: whether it asks for them (active), sends them back (available), or neither (unknown)", word(func(p *Profile) *string { return &p.DoSProtection }, "unknown", "available", "active")),
	acts("firewall", "the firewall of the computer itself, the setting kind of its host-firewall", word(func(p *Profile) *string { return &p.Firewall }, "none", "icf-unicast", "icf", "windows-firewall")),
	acts("firewall-on", "whether that is on as the system comes", flag(func(p *Profile) *bool { return &p.FirewallOn })),

	told("active-directory", "whether policy can come from Active Directory"),
	told("aggressive-mode", "aggressive mode"),
	told("certificate-mapping", "mapping of certificates to accounts"),
	told("command", "the command that sets policies"),
	told("distinguished-names", "how names in certificates are written"),
	told("known-defect", "defects that documents tell of"),
	told("l2tp-client", "L2TP/IPsec client software"),
	told("monitor", "tools that show policy and SAs"),
	told("other-authentication", "authentication that the lab does not have"),
	told("other-ciphers", "ciphers that the lab does not have"),
	told("preshared-keys", "how preshared keys are written"),
	told("priorities", "what decides among filters"),
	told("recommended", "what documents recommend"),
	told("role", "what documents use it for"),
	told("simple-policy-update", "the Simple Policy Update of fall back to clear"),
	told("vendor-ids-not-sent", "vendor IDs of extensions that the lab does not speak, or that differ by version"),
}

var (
	ciphers = []string{"DES", "3DES", "AES128", "AES192", "AES256"}
	hashes  = []string{"MD5", "SHA1", "SHA256", "SHA384", "SHA512"}
)

func acts(name, meaning string, r sourced.Reader[Profile]) Key { return sourced.Acts(name, meaning, r) }

func told(name, meaning string) Key { return sourced.Told[Profile](name, meaning) }

func flag(field func(*Profile) *bool) sourced.Reader[Profile] { return sourced.Flag(field) }

func number(field func(*Profile) *int) sourced.Reader[Profile] { return sourced.Number(1, field) }

func copies(field func(*Profile) *int) sourced.Reader[Profile] { return sourced.Number(0, field) }

func word(field func(*Profile) *string, known ...string) sourced.Reader[Profile] {
	return sourced.Word(field, known...)
}

func words(field func(*Profile) *[]string, known ...string) sourced.Reader[Profile] {
	return sourced.Words(field, known...)
}

func duration(field func(*Profile) *time.Duration) sourced.Reader[Profile] {
	return sourced.Span(field)
}

func special(read func(*Profile, any) error) sourced.Reader[Profile] {
	return sourced.Reader[Profile]{Read: read}
}

// NATDialects are the words for versions of NAT traversal, the oldest first.
func NATDialects() []string {
	return []string{"draft-00", "draft-01", "draft-02", "draft-02n", "draft-03", "rfc-3947"}
}

func natTraversal(p *Profile, v any) error {
	all, err := sourced.List(v)
	if err != nil {
		return err
	}
	for _, d := range all {
		if !slices.Contains(NATDialects(), d) {
			return fmt.Errorf("want a list of %s, got %v", strings.Join(NATDialects(), ", "), v)
		}
	}
	p.NATTraversal = all
	return nil
}

func assumeUDP(p *Profile, v any) error {
	n, err := strconv.Atoi(fmt.Sprint(v))
	if err != nil || n < 0 || n > 2 {
		return fmt.Errorf("want a number from 0 to 2, got %v", v)
	}
	p.AssumeUDPEncapsulation = &n
	return nil
}

func natKeepAlive(p *Profile, v any) error {
	d, err := time.ParseDuration(fmt.Sprint(v))
	if err != nil || d < 0 {
		return fmt.Errorf("want a time span, got %v", v)
	}
	p.NATKeepAlive = &d
	return nil
}

func durations(p *Profile, v any) error {
	all, err := sourced.List(v)
	if err != nil || len(all) == 0 {
		return fmt.Errorf("want a list of time spans, got %v", v)
	}
	p.Retransmit = nil
	for _, text := range all {
		d, err := time.ParseDuration(text)
		if err != nil || d <= 0 {
			return fmt.Errorf("want a list of time spans, got %v", v)
		}
		p.Retransmit = append(p.Retransmit, d)
	}
	return nil
}

func exempt(p *Profile, v any) error {
	n, err := strconv.Atoi(fmt.Sprint(v))
	if err != nil || n < 0 || n > 3 {
		return fmt.Errorf("want a number from 0 to 3, got %v", v)
	}
	p.NoDefaultExempt = &n
	return nil
}

func groups(p *Profile, v any) error {
	all, err := sourced.List(v)
	if err != nil || len(all) == 0 {
		return fmt.Errorf("want a list of numbers, got %v", v)
	}
	p.MainModeGroups = nil
	for _, text := range all {
		n, err := strconv.ParseUint(text, 10, 16)
		if err != nil {
			return fmt.Errorf("want a list of numbers, got %v", v)
		}
		p.MainModeGroups = append(p.MainModeGroups, uint16(n))
	}
	return nil
}

func vendorIDs(p *Profile, v any) (err error) {
	if p.VendorIDs, err = sourced.List(v); err != nil {
		return err
	}
	for _, id := range p.VendorIDs {
		if b, err := hex.DecodeString(id); err != nil || len(b) == 0 {
			return fmt.Errorf("want a list of bytes in hexadecimal, got %v", v)
		}
	}
	return nil
}
