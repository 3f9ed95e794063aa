package ike_test

import (
	"encoding/binary"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ipseclab/ipseclab/ike"
	"github.com/ipseclab/ipseclab/ike/payload"
	"github.com/ipseclab/ipseclab/internal/ipsec"
	"github.com/ipseclab/ipseclab/internal/trace"
)

// told is a decision as a reader sees it: a line for each alternative.
func told(d ike.Decision) string {
	var b strings.Builder
	for _, a := range d.Alternatives {
		fmt.Fprintf(&b, "%d.%s %s | %s: %s\n", a.Number, a.Transform, a.Proposal, a.Verdict, a.Reason)
	}
	return b.String()
}

// phase1 is an offered transform of phase 1 with a lifetime of an hour.
func phase1(number uint8, attributes ...uint16) payload.Transform {
	t := payload.Transform{Number: number, ID: payload.TransformKeyIKE}
	for i := 0; i < len(attributes); i += 2 {
		t.Attributes = append(t.Attributes, payload.BasicAttribute(attributes[i], attributes[i+1]))
	}
	t.Attributes = append(t.Attributes, payload.BasicAttribute(payload.AttrLifeType, payload.LifeSeconds), payload.BasicAttribute(payload.AttrLifeDuration, 3600))
	return t
}

func phase1Set(number uint8, cipher, bits, hash, group, method uint16) payload.Transform {
	as := []uint16{payload.AttrEncryption, cipher}
	if bits != 0 {
		as = append(as, payload.AttrKeyLength, bits)
	}
	return phase1(number, append(as, payload.AttrHash, hash, payload.AttrGroup, group, payload.AttrAuthMethod, method)...)
}

func phase1Offer(ts ...payload.Transform) *payload.SA {
	return payload.NewSA(payload.Proposal{Number: 1, Protocol: payload.ProtocolISAKMP, Transforms: ts})
}

var twoSets = ike.MainMode{
	Auth:      []ike.Auth{{Method: ike.PreSharedKey, PreSharedKey: []byte("key")}},
	Proposals: []ike.MainModeProposal{{Cipher: "3des-cbc", Hash: "sha1", Group: 2}, {Cipher: "aes128-cbc", Hash: "sha256", Group: 14}},
}

func TestExplainMainMode(t *testing.T) {
	const (
		des3, aes = payload.Encryption3DES, payload.EncryptionAES
		sha, md5  = payload.HashSHA1, payload.HashMD5
		near      = "; the nearest of the policy is 3des-cbc/sha1/2, pre-shared key"
	)
	best, second := phase1Set(1, des3, 0, sha, 2, 1), phase1Set(2, aes, 128, payload.HashSHA256, 14, 1)
	for _, row := range []struct {
		name  string
		offer *payload.SA
		by    ike.Preference
		want  string
	}{
		{"only one", phase1Offer(best), 0, "1.1 3des-cbc/sha1/2, pre-shared key | chosen: the only one that the policy accepts: entry 1 of 2 in the policy\n"},
		{"the initiator's order", phase1Offer(second, best), ike.InitiatorsOrder,
			"1.2 aes128-cbc/sha256/14, pre-shared key | chosen: the initiator's order decides, and this is the first of the offer that the policy accepts: entry 2 of 2 in the policy\n" +
				"1.1 3des-cbc/sha1/2, pre-shared key | acceptable: entry 1 of 2 in the policy; the initiator's order decides, and the chosen one is offered before it\n"},
		{"the responder's order", phase1Offer(second, best), ike.ResponderOrder,
			"1.2 aes128-cbc/sha256/14, pre-shared key | acceptable: entry 2 of 2 in the policy; the responder's order decides, and entry 1 is before it\n" +
				"1.1 3des-cbc/sha1/2, pre-shared key | chosen: the responder's order decides, and of what both have this is the first of the policy: entry 1 of 2 in the policy\n"},
		{"twice", phase1Offer(best, best), ike.ResponderOrder,
			"1.1 3des-cbc/sha1/2, pre-shared key | chosen: the responder's order decides, and of what both have this is the first of the policy: entry 1 of 2 in the policy\n" +
				"1.1 3des-cbc/sha1/2, pre-shared key | acceptable: the same as the chosen one, which is offered before it\n"},
		{"cipher", phase1Offer(phase1Set(1, payload.EncryptionDES, 0, sha, 2, 1)), 0, "1.1 des-cbc/sha1/2, pre-shared key | refused: cipher des-cbc instead of 3des-cbc" + near + "\n"},
		{"hash and group", phase1Offer(phase1Set(1, des3, 0, md5, 1, 1)), 0, "1.1 3des-cbc/md5/1, pre-shared key | refused: hash md5 instead of sha1, group 1 instead of 2" + near + "\n"},
		{"method", phase1Offer(phase1Set(1, des3, 0, sha, 2, 3)), 0, "1.1 3des-cbc/sha1/2, RSA signatures | refused: authentication by RSA signatures instead of pre-shared key" + near + "\n"},
		{"key length", phase1Offer(phase1Set(1, aes, 256, payload.HashSHA256, 14, 1)), 0,
			"1.1 aes256-cbc/sha256/14, pre-shared key | refused: key length 256 instead of 128; the nearest of the policy is aes128-cbc/sha256/14, pre-shared key\n"},
		{"a cipher that nobody here has", phase1Offer(phase1Set(1, 6, 0, sha, 2, 1)), 0,
			"1.1 CAST-CBC/SHA/alternate 1024-bit MODP group/pre-shared key | refused: no policy can accept it here: Encryption Algorithm CAST-CBC\n"},
		{"an attribute that nobody knows", phase1Offer(phase1(1, payload.AttrEncryption, des3, payload.AttrHash, sha, payload.AttrGroup, 2, payload.AttrAuthMethod, 1, 99, 7)), 0,
			"1.1 3DES-CBC/SHA/alternate 1024-bit MODP group/pre-shared key/7 | refused: no policy can accept it here: attribute 99 7\n"},
		{"another protocol", payload.NewSA(payload.Proposal{Number: 3, Protocol: payload.ProtocolESP}), 0,
			"3. PROTO_IPSEC_ESP | refused: no policy can accept it here: PROTO_IPSEC_ESP\n"},
	} {
		choice, err := ike.SelectMainMode(row.offer, nil, twoSets, row.by)
		d := ike.ExplainMainMode(row.offer, nil, twoSets, row.by, choice)
		require.Equal(t, row.want, told(d), row.name)
		require.Equal(t, err == nil, strings.Contains(row.want, "chosen: "), row.name)
		require.Equal(t, []string{"3des-cbc/sha1/2, pre-shared key", "aes128-cbc/sha256/14, pre-shared key"}, d.Accepted)
		require.Equal(t, row.by.String(), d.Preference)
	}
	d := ike.ExplainMainMode(phase1Offer(best), nil, ike.MainMode{}, 0, ike.MainModeChoice{})
	require.Equal(t, "1.1 3des-cbc/sha1/2, pre-shared key | refused: the policy accepts nothing\n", told(d))
}

func esp(number uint8, id uint8, attributes ...uint16) payload.Proposal {
	t := payload.Transform{Number: 1, ID: id}
	for i := 0; i < len(attributes); i += 2 {
		t.Attributes = append(t.Attributes, payload.BasicAttribute(attributes[i], attributes[i+1]))
	}
	return payload.Proposal{Number: number, Protocol: payload.ProtocolESP, SPI: binary.BigEndian.AppendUint32(nil, 0x1000), Transforms: []payload.Transform{t}}
}

func TestExplainQuickMode(t *testing.T) {
	const (
		mode, transport, tunnel = payload.AttrEncapsulation, uint16(ipsec.Transport), uint16(ipsec.Tunnel)
		auth, sha, md5          = payload.AttrAuth, payload.AuthHMACSHA1, payload.AuthHMACMD5
		des3                    = payload.TransformESP3DES
		near                    = "; the nearest of the policy is ESP[3des-cbc,hmac-sha1-96], transport"
		name                    = "1.1 ESP[3des-cbc,hmac-sha1-96], transport"
	)
	one := ike.QuickMode{Proposals: []ipsec.Proposal{{Mode: ipsec.Transport, Transforms: []ipsec.Transform{{Protocol: ipsec.ESP, Cipher: "3des-cbc", Auth: "hmac-sha1-96"}}}}}
	pfs, pfsless := one, one
	pfs.PFS, pfs.PFSGroup, pfsless.PFSless = true, 2, true
	ah := payload.Proposal{Number: 1, Protocol: payload.ProtocolAH, SPI: []byte{0, 0, 16, 0}, Transforms: []payload.Transform{{Number: 1, ID: payload.TransformAHSHA,
		Attributes: []payload.Attribute{payload.BasicAttribute(mode, transport), payload.BasicAttribute(auth, sha)}}}}
	for _, row := range []struct {
		name   string
		policy ike.QuickMode
		offer  []payload.Proposal
		want   string
	}{
		{"in common", one, []payload.Proposal{esp(1, des3, mode, transport, auth, sha)}, name + " | chosen: the only one that the policy accepts: entry 1 of 1 in the policy\n"},
		{"without integrity", one, []payload.Proposal{esp(1, des3, mode, transport)}, "1.1 ESP[3des-cbc], transport | refused: ESP integrity none instead of hmac-sha1-96" + near + "\n"},
		{"integrity", one, []payload.Proposal{esp(1, des3, mode, transport, auth, md5)}, "1.1 ESP[3des-cbc,hmac-md5-96], transport | refused: ESP integrity hmac-md5-96 instead of hmac-sha1-96" + near + "\n"},
		{"extended sequence numbers", one, []payload.Proposal{esp(1, des3, mode, transport, auth, sha, payload.AttrSAESN, payload.ESN64)},
			"1.1 ESP[3des-cbc,hmac-sha1-96,esn], transport | refused: ESP sequence numbers of 64 bits instead of 32 bits" + near + "\n"},
		{"encapsulation", one, []payload.Proposal{esp(1, des3, mode, tunnel, auth, sha)}, "1.1 ESP[3des-cbc,hmac-sha1-96], tunnel | refused: encapsulation tunnel instead of transport" + near + "\n"},
		{"no PFS where it is demanded", pfs, []payload.Proposal{esp(1, des3, mode, transport, auth, sha)}, name + " | refused: PFS none instead of group 2" + near + ", PFS group 2\n"},
		{"another group", pfs, []payload.Proposal{esp(1, des3, mode, transport, auth, sha, payload.AttrSAGroup, 1)}, name + ", PFS group 1 | refused: PFS group 1 instead of group 2" + near + ", PFS group 2\n"},
		{"PFS that must match", pfsless, []payload.Proposal{esp(1, des3, mode, transport, auth, sha, payload.AttrSAGroup, 2)},
			name + ", PFS group 2 | refused: PFS group 2 instead of none: more than the policy asks for is refused here" + near + "\n"},
		{"a group that nobody here has", one, []payload.Proposal{esp(1, des3, mode, transport, auth, sha, payload.AttrSAGroup, 3)},
			name + ", PFS group 3 | refused: PFS group 3, which is unsupported" + near + "\n"},
		{"a bundle for one", one, []payload.Proposal{ah, esp(1, des3, mode, transport, auth, sha)},
			"1.1+1 ESP[3des-cbc,hmac-sha1-96]+AH[hmac-sha1-96], transport | refused: protection by ESP+AH instead of ESP" + near + "\n"},
		{"a reserved SPI", one, []payload.Proposal{{Number: 1, Protocol: payload.ProtocolESP, SPI: []byte{0, 0, 0, 1}}},
			"1. PROTO_IPSEC_ESP | refused: no policy can accept it here: ESP with the SPI 00000001\n"},
		{"no mode", one, []payload.Proposal{esp(1, des3, auth, sha)}, "1.1 ESP_3DES | refused: no policy can accept it here: Encapsulation Mode 0\n"},
		{"numbers out of order", one, []payload.Proposal{esp(1, des3), esp(2, des3), esp(1, des3)}, ""},
	} {
		offer := payload.NewSA(row.offer...)
		choice, err := ike.SelectQuickMode(offer, row.policy, 2, ike.InitiatorsOrder)
		d := ike.ExplainQuickMode(offer, row.policy, 2, ike.InitiatorsOrder, choice)
		require.Equal(t, row.want, told(d), row.name)
		require.Equal(t, err == nil, strings.Contains(row.want, "chosen: "), row.name)
	}
}

// What an initiator knows: which of its choices came back, and nothing of why.
func TestExplainReply(t *testing.T) {
	offer, err := ike.OfferMainMode(twoSets)
	require.NoError(t, err)
	for place, want := range map[int]string{
		0: "unanswered: silence\n" + "unanswered: silence\n",
		1: "chosen: the responder took our first choice of 2\n" + "not chosen: it is behind the chosen one\n",
		2: "not chosen: the responder passed it over, and does not say why\n" +
			"chosen: the responder took our choice 2 of 2: it does not accept what is before it, or goes by its own order\n",
	} {
		var choice ike.MainModeChoice
		if place > 0 {
			p := offer.Proposals[0]
			p.Transforms = p.Transforms[place-1 : place]
			choice, err = ike.MatchMainMode(payload.NewSA(p), offer)
			require.NoError(t, err)
		}
		got := ""
		for _, a := range ike.ExplainMainModeReply(offer, choice, "silence").Alternatives {
			got += a.Verdict + ": " + a.Reason + "\n"
		}
		require.Equal(t, want, got, place)
	}
}

// Of an offer with very many alternatives the one that is chosen is listed, and the rest is counted.
func TestExplainLongOffer(t *testing.T) {
	var ts []payload.Transform
	for i := range 200 {
		ts = append(ts, phase1Set(uint8(i), payload.EncryptionDES, 0, payload.HashMD5, 1, 1))
	}
	offer := phase1Offer(append(ts, phase1Set(201, payload.Encryption3DES, 0, payload.HashSHA1, 2, 1))...)
	choice, err := ike.SelectMainMode(offer, nil, twoSets, 0)
	require.NoError(t, err)
	for name, d := range map[string]ike.Decision{"responder": ike.ExplainMainMode(offer, nil, twoSets, 0, choice), "initiator": ike.ExplainMainModeReply(offer, choice, "")} {
		require.Len(t, d.Alternatives, 49, name)
		require.Equal(t, trace.Chosen, d.Alternatives[48].Verdict, name)
		require.Equal(t, "201", d.Alternatives[48].Transform, name)
		require.Equal(t, 152, d.Omitted, name)
	}
}

func TestExplainLifetimes(t *testing.T) {
	long, short := ipsec.Lifetime{Duration: 8 * time.Hour}, ipsec.Lifetime{Duration: time.Hour}
	for _, row := range []struct {
		offered, own, kept ipsec.Lifetime
		initiator          bool
		want               trace.Lifetimes
	}{
		{long, long, long, false, trace.Lifetimes{Offered: "28800s", Own: "28800s", Kept: "28800s", Why: "as offered: the policy has no less"}},
		{long, short, long, false, trace.Lifetimes{Offered: "28800s", Own: "3600s", Kept: "28800s", Why: "as offered: the policy has less, and this host takes what is offered without a word"}},
		{long, short, short, false, trace.Lifetimes{Offered: "28800s", Own: "3600s", Kept: "3600s", Why: "the policy has less, and the initiator is told with RESPONDER-LIFETIME"}},
		{long, long, long, true, trace.Lifetimes{Offered: "28800s", Kept: "28800s", Why: "as offered: the responder asks for no less"}},
		{long, long, short, true, trace.Lifetimes{Offered: "28800s", Own: "3600s", Kept: "3600s", Why: "the responder keeps to less, and says so with RESPONDER-LIFETIME"}},
	} {
		require.Equal(t, row.want, ike.ExplainMainModeLifetime(row.offered, row.own, row.kept, row.initiator))
	}
}

// The form of a duration is up to its sender, and is shown.
func TestDurationsInEitherForm(t *testing.T) {
	policy := twoSets
	policy.Lifetime = time.Hour
	policy.Kilobytes = 100000
	for short, want := range map[bool]string{false: "3600s (TLV), 100000kB (TLV)", true: "3600s (TV), 100000kB (TLV)"} {
		config := ike.Config{ShortDurations: short}
		offer, err := ike.OfferMainMode(policy)
		require.NoError(t, err)
		config.Form(offer)
		choice, err := ike.SelectMainMode(offer, nil, policy, 0)
		require.NoError(t, err)
		require.Equal(t, want, ike.ExplainMainMode(offer, nil, policy, 0, choice).Alternatives[0].Lifetime)
		require.Equal(t, time.Hour, choice.Lifetime)
		require.Equal(t, uint64(100000), choice.Kilobytes)
		life := ipsec.Lifetime{Duration: time.Hour, Kilobytes: 100000}
		n := config.ResponderLifetime(payload.ProtocolESP, []byte{1, 2, 3, 4}, life)
		got, err := ike.ReadResponderLifetime(n)
		require.NoError(t, err)
		require.Equal(t, life, got)
		as, err := payload.ParseAttributes(n.Data)
		require.NoError(t, err)
		require.Equal(t, short, as[1].Basic, "3600 fits into two bytes")
		require.False(t, as[3].Basic, "100000 does not")
	}
}
