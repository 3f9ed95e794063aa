package dissection_test

import (
	"fmt"
	"os/exec"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"unicode"

	"github.com/stretchr/testify/require"

	"github.com/ipseclab/ipseclab/ike/payload"
	"github.com/ipseclab/ipseclab/internal/dissection"
	"github.com/ipseclab/ipseclab/internal/needs"
)

// numberName is what a registry of ours calls a number, "" where it has no name for it.
type numberName func(n int) string

func attributeNames(p payload.ProtocolID) numberName {
	return func(n int) string {
		if !payload.AttributeKnown(p, uint16(n)) {
			return ""
		}
		name, _ := payload.AttributeName(p, payload.BasicAttribute(uint16(n), 0))
		return name
	}
}

func attributeValues(p payload.ProtocolID, class uint16) numberName {
	return func(n int) string {
		_, value := payload.AttributeName(p, payload.BasicAttribute(class, uint16(n)))
		return unlessNumber(value)
	}
}

func configValues(class uint16) numberName {
	return func(n int) string {
		_, value := payload.ConfigAttributeName(payload.BasicAttribute(class, uint16(n)))
		return unlessNumber(value)
	}
}

func unlessNumber(s string) string {
	if _, err := strconv.Atoi(s); err == nil {
		return ""
	}
	return s
}

// octet is the registry of a field of one byte.
func octet(name func(byte) string) numberName {
	return func(n int) string {
		if n > 255 {
			return ""
		}
		return unlessNumber(name(byte(n)))
	}
}

// difference is a range of numbers for which codec and dissector have different
// words, or one of them has none, and why.
type difference struct {
	from, to int
	reason   string
}

const (
	ikev2      = "of IKE version 2"
	gdoi       = "of group key management, which this project does not speak"
	secondName = "the number has a second meaning, which the dissector does not know"
	microsoft  = "of Microsoft, which the dissector does not know"
	checkPoint = "of Check Point alone"
	later      = "assigned later, for nothing of this project"
	chinese    = "of a national standard that no peer of this project has"
)

// groups are those that both phases share.
var groups = []difference{
	{3, 4, "the dissector says group twice"}, {6, 13, "curves over fields of two elements, which no peer of this project offers"}, {22, 34, later},
}

// registries are tables of the dissector, and what the codec has for them.
var registries = []struct {
	field  string
	ours   numberName
	differ []difference
}{
	{"isakmp.typepayload", octet(func(b byte) string { return unless("payload type ", payload.Type(b).String()) }), []difference{
		{0, 0, "the dissector explains NONE"}, {15, 19, gdoi}, {20, 21, "the dissector adds the document"}, {22, 22, gdoi}, {33, 53, ikev2},
		{129, 129, "of the private range"}, {130, 131, "the dissector adds the document"}, {132, 132, "Cisco's for the dissector, and Microsoft's as well"},
	}},
	{"isakmp.exchangetype", octet(func(b byte) string { return unless("exchange ", payload.Exchange(b).String()) }), []difference{
		{0, 0, "no exchange"}, {2, 2, "RFC 2408 has another name than RFC 2409"}, {4, 4, "we add mode"}, {6, 6, "the dissector adds the mode"}, {34, 38, ikev2},
	}},
	{"isakmp.id.type", octet(func(b byte) string { return payload.IDType(b).String() }), []difference{
		{12, 12, "ID_LIST in RFC 3554, Section 3"}, {250, 250, microsoft},
	}},
	{"isakmp.cert.encoding", octet(func(b byte) string { return payload.CertEncoding(b).String() }), nil},
	{"isakmp.certreq.type", octet(func(b byte) string { return payload.CertEncoding(b).String() }), nil},
	{"isakmp.notify.msgtype", func(n int) string { return unlessNumber(payload.NotifyType(n).String()) }, []difference{{40003, 40005, microsoft}}},
	{"isakmp.prop.protoid", octet(func(b byte) string { return payload.ProtocolID(b).String() }), []difference{{5, 5, later}}},
	{"isakmp.cfg.type", octet(func(b byte) string { return payload.ConfigType(b).String() }), nil},
	{"isakmp.cfg.attr.type", func(n int) string {
		name, _ := payload.ConfigAttributeName(payload.Attribute{Type: uint16(n)})
		return unless("attribute ", name)
	}, []difference{{16387, 16389, checkPoint}, {16400, 16402, checkPoint}, {16525, 16525, "misspelt by the dissector"}}},
	{"isakmp.cfg.attr.xauth.type", configValues(payload.XAUTHType), nil},
	{"isakmp.cfg.attr.xauth.status", configValues(payload.XAUTHStatus), []difference{{1, 1, "OK in the draft, Section 3.1"}}},
	{"isakmp.ike.attr.type", attributeNames(payload.ProtocolISAKMP), []difference{
		{6, 6, "RFC 2409 adds the polynomial"}, {17, 17, later}, {20, 20, chinese}, {16384, 16384, "of the private range"},
	}},
	{"isakmp.ike.attr.encryption_algorithm", attributeValues(payload.ProtocolISAKMP, payload.AttrEncryption), []difference{{127, 129, chinese}}},
	{"isakmp.ike.attr.hash_algorithm", attributeValues(payload.ProtocolISAKMP, payload.AttrHash), []difference{{20, 20, chinese}}},
	{"isakmp.ike.attr.authentication_method", attributeValues(payload.ProtocolISAKMP, payload.AttrAuthMethod), []difference{
		{6, 8, "withdrawn"}, {9, 11, "the dissector adds the hash"}, {65001, 65001, secondName}, {65005, 65005, secondName},
	}},
	{"isakmp.ike.attr.group_description", attributeValues(payload.ProtocolISAKMP, payload.AttrGroup), groups},
	{"isakmp.ike.attr.group_type", attributeValues(payload.ProtocolISAKMP, payload.AttrGroupType), nil},
	{"isakmp.ike.attr.life_type", attributeValues(payload.ProtocolISAKMP, payload.AttrLifeType), nil},
	{"isakmp.ipsec.attr.type", attributeNames(payload.ProtocolESP), []difference{{12, 15, gdoi}}},
	{"isakmp.ipsec.attr.life_type", attributeValues(payload.ProtocolESP, payload.AttrSALifeType), nil},
	{"isakmp.ipsec.attr.group_description", attributeValues(payload.ProtocolESP, payload.AttrSAGroup), groups},
	{"isakmp.ipsec.attr.encap_mode", attributeValues(payload.ProtocolESP, payload.AttrEncapsulation), []difference{{61440, 61440, "of the private range"}}},
	{"isakmp.ipsec.attr.auth_algorithm", attributeValues(payload.ProtocolESP, payload.AttrAuth), []difference{{10, 10, gdoi}}},
	{"isakmp.ipsec.attr.ecn_tunnel", attributeValues(payload.ProtocolESP, 10), nil},
	{"isakmp.ipsec.attr.ext_seq_nbr", attributeValues(payload.ProtocolESP, 11), []difference{{1, 1, "the dissector repeats the class"}}},
}

// unless is a name that does not begin with prefix, which stands for a number without a name.
func unless(prefix, name string) string {
	if strings.HasPrefix(name, prefix) {
		return ""
	}
	return name
}

// unassigned are words that give a number no name.
var unassigned = regexp.MustCompile(`(?i)^(reserved|reserved \(future use\)|unassigned.*|private use.*|future use|doi-specific codes|<unknown>|undefined.*)$`)

// dissectorTables reads the output of tshark -G values: rows of a field's table, of
// numbers ("V") or of ranges ("R"). A field of both IKE versions has two tables, that
// of version 1 first; the second begins where numbers go back.
func dissectorTables(t *testing.T) map[string]map[int]string {
	t.Helper()
	out, err := exec.Command(needs.Tool(t, "tshark"), "-G", "values").Output()
	require.NoError(t, err)
	tables, last := map[string]map[int]string{}, map[string]int{}
	for line := range strings.Lines(string(out)) {
		f := strings.Split(strings.TrimSuffix(line, "\n"), "\t")
		if len(f) < 3 || !strings.HasPrefix(f[1], "isakmp.") || f[0] != "V" && f[0] != "R" {
			continue
		}
		from, err := strconv.ParseInt(f[2], 0, 64)
		require.NoError(t, err, line)
		to := from
		if f[0] == "R" {
			to, err = strconv.ParseInt(f[3], 0, 64)
			require.NoError(t, err, line)
		}
		switch {
		case tables[f[1]] == nil:
			tables[f[1]] = map[int]string{}
		case int(from) < last[f[1]]:
			last[f[1]] = 1 << 30
			continue
		}
		last[f[1]] = int(to)
		if text := strings.TrimSpace(f[len(f)-1]); !unassigned.MatchString(text) && to == from {
			tables[f[1]][int(from)] = text
		}
	}
	return tables
}

// plain is a name without what makes no difference.
func plain(s string) string {
	for _, prefix := range []string{"ID_", "PROTO_", "ESP_", "AH_"} {
		s = strings.TrimPrefix(s, prefix)
	}
	return strings.Map(func(r rune) rune {
		if !unicode.IsLetter(r) && !unicode.IsDigit(r) {
			return -1
		}
		return unicode.ToLower(r)
	}, s)
}

// Numbers have the names that Wireshark has for them, from the same registries. What
// differs is listed with its reason, and nothing else is.
func TestRegistriesAgree(t *testing.T) {
	tables := dissectorTables(t)
	agree := 0
	for _, r := range registries {
		theirs := tables[r.field]
		require.NotEmpty(t, theirs, r.field)
		for n := range 65536 {
			a, b := r.ours(n), theirs[n]
			listed := slices.ContainsFunc(r.differ, func(d difference) bool { return d.from <= n && n <= d.to })
			switch same := plain(a) == plain(b); {
			case same && listed:
				t.Errorf("%s %d: both say %q, so it does not differ", r.field, n, a)
			case !same && !listed:
				t.Errorf("%s %d: %q, tshark %q", r.field, n, a, b)
			case a != "":
				agree++
			}
		}
	}
	t.Logf("%d names", agree)
	require.Greater(t, agree, 200)
}

// The dissector names transforms as the codec does, where it names them: it knows
// nothing of what was assigned after RFC 3602 for ESP, and AH_SHA2-512 for AH.
func TestTransformNamesAgree(t *testing.T) {
	var messages [][]byte
	var ours []string
	var ids []uint8
	for p, last := range map[payload.ProtocolID]uint8{payload.ProtocolISAKMP: 1, payload.ProtocolAH: 7, payload.ProtocolESP: 12} {
		for id := range last + 1 {
			if name := unlessNumber(payload.TransformName(p, id)); name != "" {
				ours, ids = append(ours, name), append(ids, id)
				messages = append(messages, message(payload.QuickMode, payload.NewSA(payload.Proposal{
					Number: 1, Protocol: p, SPI: []byte{1, 2, 3, 4}, Transforms: []payload.Transform{{Number: 1, ID: id}}})))
			}
		}
	}
	require.Greater(t, len(ours), 17)
	for i, f := range dissect(t, messages) {
		theirs := strings.TrimPrefix(textOf(f, "isakmp.trans.id: "), "Transform ID: ")
		theirs = strings.TrimSuffix(theirs, fmt.Sprintf(" (%d)", ids[i]))
		if ours[i] == "ESP_AES-CBC" { // the dissector leaves the mode out
			theirs += "-CBC"
		}
		require.Equal(t, plain(ours[i]), plain(theirs))
	}
}

// textOf are the dissector's words for the line that begins so.
func textOf(f dissection.Frame, line string) string {
	for i, l := range f.Lines {
		if strings.HasPrefix(strings.TrimSpace(l), line) {
			return f.Texts[i]
		}
	}
	return ""
}
