package netsh

import (
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/ipseclab/ipseclab/hosts/policy"
	"github.com/ipseclab/ipseclab/ike"
	"github.com/ipseclab/ipseclab/internal/ipsec"
)

// text is the value of an option; "" when it is not given.
func (a *args) text(name string) string {
	if g := a.find(name); g != nil {
		return g.value
	}
	return ""
}

// name is the value of an option that names something.
func (a *args) name(option string) string {
	if g := a.find(option); g != nil && g.value == "" {
		a.fail(option, "%s is empty", option)
	}
	return a.text(option)
}

// word is one of the words that an option may be, or an unambiguous beginning of one;
// fallback when it is not given.
func (a *args) word(option, fallback string, known ...string) string {
	g := a.find(option)
	if g == nil {
		return fallback
	}
	word, several := match(g.value, known)
	switch {
	case len(several) > 1:
		a.fail(option, "%s: %q could be %s", option, g.value, strings.Join(several, ", "))
	case word == "":
		a.fail(option, "%s: %q is none of %s", option, g.value, strings.Join(known, ", "))
	}
	return word
}

// yes is an option that is yes or no.
func (a *args) yes(option string, fallback bool) bool {
	if !a.has(option) {
		return fallback
	}
	return a.word(option, "", "yes", "no") == "yes"
}

// number is a whole number within bounds.
func (a *args) number(option string, low, high int) int {
	g := a.find(option)
	if g == nil {
		return 0
	}
	n, err := strconv.Atoi(g.value)
	if err != nil || n < low || n > high || g.value[0] == '+' || g.value[0] == '-' {
		a.fail(option, "%s: %q is no number from %d to %d", option, g.value, low, high)
	}
	return n
}

// maxMinutes keeps lifetimes within the 32 bits of seconds that IKE sends.
const maxMinutes = (1<<32 - 1) / 60

// minutes is a time span that is given in minutes. 0 is the documented default (MS-GPIPSEC 2.2.1).
func (a *args) minutes(option string) time.Duration {
	return time.Duration(a.number(option, 0, maxMinutes)) * time.Minute
}

// The words of special addresses.
var serverWords = func() map[string]policy.ServerKind {
	all := map[string]policy.ServerKind{}
	for _, k := range policy.ServerKinds {
		all[k.String()] = k
	}
	return all
}()

// address is one end of a filter: its address and its mask.
func (a *args) address(end, mask string) policy.Address {
	word := a.name(end)
	bits := 32
	if a.has(mask) {
		bits = a.mask(mask)
	}
	if a.err != nil {
		return policy.Address{}
	}
	lower := strings.ToLower(word)
	kind, server := serverWords[lower]
	switch {
	case lower == "me" || server:
		if bits != 32 {
			a.fail(mask, "%s: %s=%s takes no mask", mask, end, word)
		}
		if server {
			return policy.Servers(kind)
		}
		return policy.Me()
	case lower == "any":
		if a.has(mask) && bits != 0 {
			a.fail(mask, "%s: %s=%s takes no mask", mask, end, word)
		}
		return policy.Any()
	}
	ip, err := netip.ParseAddr(word)
	switch {
	case err == nil && (!ip.Is4() || ip.Zone() != ""):
		a.fail(end, "unsupported: %s: %s is IPv6, and the IPsec policies of Windows Server 2003 are for IPv4", end, word)
	case err == nil && ip.IsUnspecified():
		switch {
		case !a.has(mask):
			a.fail(end, "%s: %s without a mask: write me or any", end, word)
		case bits == 0:
			return policy.Any()
		case bits == 32:
			return policy.Me() // as the help of set rule writes it
		}
		return policy.Subnet(netip.PrefixFrom(ip, bits))
	case err == nil && bits == 0:
		a.fail(mask, "%s: %s with an empty mask is any address: write any", mask, word)
	case err == nil:
		p, _ := ip.Prefix(bits)
		return policy.Subnet(p)
	case isRange(word):
		a.fail(end, "unsupported: %s: a range of addresses: write the subnets that it consists of", end)
	case strings.Contains(word, "/"):
		a.fail(end, "%s: %q: the length of the prefix goes into %s", end, word, mask)
	case !isName(word):
		a.fail(end, "%s: %q is none of me, any, dns, wins, dhcp and gateway, no IPv4 address and no DNS name", end, word)
	case bits != 32:
		a.fail(mask, "%s: the DNS name %s takes no mask", mask, word)
	}
	return policy.DNSName(word)
}

func isRange(word string) bool {
	from, to, ok := strings.Cut(word, "-")
	_, err1 := netip.ParseAddr(from)
	_, err2 := netip.ParseAddr(to)
	return ok && err1 == nil && err2 == nil
}

// isName reports a DNS name of letters, digits, hyphens, underscores and dots, in which
// not everything is digits and dots.
func isName(word string) bool {
	letters := false
	for _, r := range word {
		switch {
		case r >= 'a' && r <= 'z', r >= 'A' && r <= 'Z', r == '_':
			letters = true
		case r >= '0' && r <= '9', r == '-', r == '.':
		default:
			return false
		}
	}
	return letters && len(word) <= 253 && word[0] != '-' && !strings.Contains(word, "..") && word[0] != '.'
}

// mask is a mask as its length: dotted, or the length itself.
func (a *args) mask(option string) int {
	text := a.text(option)
	if m, err := netip.ParseAddr(text); err == nil && m.Is4() {
		b := m.As4()
		v := uint32(b[0])<<24 | uint32(b[1])<<16 | uint32(b[2])<<8 | uint32(b[3])
		for bits := range 33 {
			if v == uint32(uint64(0xffffffff)<<(32-bits)) {
				return bits
			}
		}
		a.fail(option, "%s: %s is no mask: its ones are not together at the front", option, text)
		return 0
	}
	if n, err := strconv.ParseUint(text, 10, 8); err == nil && n <= 32 {
		return int(n)
	}
	a.fail(option, "%s: %q is neither a mask such as 255.255.255.0 nor the length of a prefix from 1 to 32", option, text)
	return 0
}

// protocolNumbers are the protocols that have names.
var protocolNumbers = map[string]uint8{"any": ipsec.ProtoAny, "icmp": ipsec.ProtoICMP, "tcp": ipsec.ProtoTCP, "udp": ipsec.ProtoUDP, "raw": 255}

func (a *args) protocol() uint8 {
	word := a.text("protocol")
	if n, err := strconv.ParseUint(word, 10, 8); err == nil {
		return uint8(n)
	}
	if !a.has("protocol") {
		return ipsec.ProtoAny
	}
	if n, ok := protocolNumbers[strings.ToLower(word)]; ok {
		return n
	}
	a.fail("protocol", "protocol: %q is none of any, icmp, tcp, udp and raw, and no number from 0 to 255", word)
	return 0
}

// filter reads what selects packets: a filter that is added, or what existing ones are chosen by.
func (a *args) filter(added bool) policy.Filter {
	f := policy.Filter{
		Description: a.text("description"), Protocol: a.protocol(), Mirrored: a.yes("mirrored", true), // C220
		SourcePort: uint16(a.number("srcport", 0, 65535)), DestinationPort: uint16(a.number("dstport", 0, 65535)),
	}
	f.Source, f.Destination = a.address("srcaddr", "srcmask"), a.address("dstaddr", "dstmask")
	for _, end := range []struct {
		option string
		port   uint16
	}{{"srcport", f.SourcePort}, {"dstport", f.DestinationPort}} {
		if end.port != 0 && !ipsec.HasPorts(f.Protocol) && (added || a.has("protocol")) { // C219
			a.fail(end.option, "%s: a port needs protocol=tcp or protocol=udp", end.option)
		}
	}
	for _, ends := range []struct {
		option      string
		this, other policy.Address
	}{{"srcaddr", f.Source, f.Destination}, {"dstaddr", f.Destination, f.Source}} {
		if ends.this.ServerKind() != 0 && !ends.other.IsMe() {
			a.fail(ends.option, "%s=%s: the other end of a filter for servers is me", ends.option, ends.this)
		}
	}
	return f
}

// key is a filter without what does not select.
func key(f policy.Filter) policy.Filter {
	f.Description = ""
	return f
}

// securityMethods reads qmsecmethods.
func (a *args) securityMethods() (all []ipsec.Proposal) {
	g := a.find("qmsecmethods")
	if g == nil {
		return nil
	}
	for _, word := range strings.Fields(g.value) {
		p, err := policy.ParseSecurityMethod(word)
		if err != nil {
			a.fail("qmsecmethods", "%s", methodReason("qmsecmethods", err))
			return nil
		}
		for _, t := range p.Transforms {
			if !windowsAlgorithm(t.Cipher) || !windowsAlgorithm(t.Auth) || t.ESN {
				a.fail("qmsecmethods", "qmsecmethods: unsupported: %q: Windows Server 2003 has DES, 3DES, MD5 and SHA1", word)
				return nil
			}
		}
		all = append(all, p)
	}
	if len(all) == 0 {
		a.fail("qmsecmethods", "qmsecmethods is empty")
	}
	return all
}

// windowsAlgorithm reports whether Windows Server 2003 has an algorithm of package suite.
func windowsAlgorithm(name string) bool {
	return slices.Contains([]string{"", "null", "des-cbc", "3des-cbc", "hmac-md5-96", "hmac-sha1-96", "md5", "sha1"}, name)
}

// methodReason is a mistake in a method, without what the place in the line says already.
func methodReason(option string, err error) string {
	if m, ok := err.(*policy.MethodError); ok {
		return option + ": " + strconv.Quote(m.Text) + ", column " + strconv.Itoa(m.Column) + ": " + m.Reason
	}
	return option + ": " + err.Error()
}

// mainModeMethods reads mmsecmethods.
func (a *args) mainModeMethods() (all []ike.MainModeProposal) {
	g := a.find("mmsecmethods")
	if g == nil {
		return nil
	}
	for _, word := range strings.Fields(g.value) {
		p, err := policy.ParseMainModeMethod(word)
		if err != nil {
			a.fail("mmsecmethods", "%s", methodReason("mmsecmethods", err))
			return nil
		}
		if !windowsAlgorithm(p.Cipher) || !windowsAlgorithm(p.Hash) || !slices.Contains(windowsGroups, p.Group) {
			a.fail("mmsecmethods", "mmsecmethods: unsupported: %q: Windows Server 2003 has DES, 3DES, MD5, SHA1 and groups 1, 2 and 3", word)
			return nil
		}
		all = append(all, p)
	}
	if len(all) == 0 {
		a.fail("mmsecmethods", "mmsecmethods is empty")
	}
	return all
}

// windowsGroups are the groups of Windows Server 2003: 3 is that of 2048 bits (C070).
var windowsGroups = []uint16{1, 2, 14}

// auth reads authentication methods, whose preference is their order in the command.
// stated is whether the command says anything of them.
func (a *args) auth() (all []policy.AuthMethod, stated bool) {
	for i := range a.given {
		g := &a.given[i]
		switch g.option.name {
		case "kerberos":
			stated = true
			if a.yes("kerberos", false) {
				all = append(all, policy.AuthMethod{Kerberos: true})
			}
		case "psk":
			stated = true
			if g.value == "" && a.err == nil {
				a.err = refuse(g.behind, "psk is empty")
			}
			all = append(all, policy.AuthMethod{PreSharedKey: g.value})
		case "rootca":
			stated = true
			m, reason := rootCA(g.value)
			if reason != "" && a.err == nil {
				a.err = refuse(g.behind, "rootca: %s", reason)
			}
			all = append(all, m)
		}
	}
	return all, stated
}

// rootCA reads "CN=Root certmap:yes excludecaname:no". Quotation marks within the name
// are written \', as the help of the command says.
func rootCA(text string) (m policy.AuthMethod, reason string) {
	rest := text
	seen := map[string]bool{}
	for {
		i := strings.LastIndexByte(strings.TrimRight(rest, " "), ' ')
		word := strings.ToLower(strings.TrimSpace(rest[i+1:]))
		option, value, ok := strings.Cut(word, ":")
		if !ok || option != "certmap" && option != "excludecaname" {
			break
		}
		answer, several := match(value, []string{"yes", "no"})
		switch {
		case seen[option]:
			return m, option + " is given twice"
		case answer == "" || several != nil && answer == "":
			return m, option + ":" + value + " is neither yes nor no"
		}
		seen[option] = true
		if option == "certmap" {
			m.CertMapping = answer == "yes"
		} else {
			m.ExcludeCAName = answer == "yes"
		}
		rest = rest[:max(i, 0)]
	}
	m.RootCA = strings.ReplaceAll(strings.TrimSpace(rest), `\'`, `"`)
	if m.RootCA == "" {
		return m, "there is no name of an authority"
	}
	return m, ""
}

// tunnel is where the tunnel of a rule ends.
func (a *args) tunnel(option string) netip.Addr {
	if !a.has(option) {
		return netip.Addr{}
	}
	ip, err := netip.ParseAddr(a.text(option))
	switch {
	case err != nil && isName(a.text(option)):
		a.fail(option, "unsupported: %s: a tunnel to a DNS name: write the address", option)
	case err != nil:
		a.fail(option, "%s: %q is no address", option, a.text(option))
	case !ip.Is4():
		a.fail(option, "unsupported: %s: %s is IPv6, and the IPsec policies of Windows Server 2003 are for IPv4", option, ip)
	case ip.IsUnspecified() || ip.IsMulticast():
		a.fail(option, "%s: no tunnel ends at %s", option, ip)
	}
	return ip
}

// connections are those that a rule is for (C083).
func (a *args) connections() policy.ConnectionType {
	switch a.word("conntype", "all", "all", "lan", "dialup") {
	case "lan":
		return policy.LANConnections
	case "dialup":
		return policy.RemoteAccess
	}
	return policy.AllConnections
}

// kind is permit, block or negotiate, which is the default.
func (a *args) kind(option string) policy.Kind {
	switch a.word(option, "negotiate", "permit", "block", "negotiate") {
	case "permit":
		return policy.Permit
	case "block":
		return policy.Block
	}
	return policy.Negotiate
}
