package esp

import (
	"bytes"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/ipseclab/ipseclab/internal/ipsec"
)

// The first generation of AH and ESP, which the documents claim of Windows Server 2003
// (C007). Its RFCs print no packets: these were made by the lab with OpenSSL's DES and
// Python's hashlib, by RFC 1829, Section 2; RFC 1828, Section 2 with RFC 1826; and RFC
// 2085, Section 2. All carry the same UDP datagram, with DF and TOS set; the DES key is
// 0123456789abcdef, that of AH 00 … 0f.
var (
	desIV64    = ipsec.Transform{Protocol: ipsec.ESP, Cipher: "des-iv64"}
	desIV32    = ipsec.Transform{Protocol: ipsec.ESP, Cipher: "des-iv32"}
	keyedMD5   = ipsec.Transform{Protocol: ipsec.AH, Auth: "keyed-md5"}
	replayMD5  = ipsec.Transform{Protocol: ipsec.AH, Auth: "hmac-md5-replay"}
	generation = []ipsec.Transform{desIV64, desIV32, keyedMD5, replayMD5}
)

const oldClear = "45100029424240004011e46f0a0000010a000002 06a506a50015150b30313233343536373839616263"

func TestFirstGeneration(t *testing.T) {
	for _, c := range []struct {
		name     string
		tr       ipsec.Transform
		spi      uint32
		seq      uint64
		want     string
		theirsIV bool // not one that this package chooses
	}{
		{"RFC 1829, IV of 64 bits", desIV64, 0x0a0b0c0d, 1, `45100038424240004032e43f0a0000010a000002 0a0b0c0d 1122334455667788
			92fb118536afaf9b9ca88617249a5bea911515354554be27`, true},
		{"RFC 1829, IV of 32 bits", desIV32, 0x0a0b0c0e, 7, `45100034424240004032e4430a0000010a000002 0a0b0c0e 00000007
			6ad1d3c41ae190c323fe18f5486515bc8e6ade378d447c80`, false},
		{"RFC 1829, padding of another kind", desIV32, 0x0a0b0c0e, 7, `45100034424240004032e4430a0000010a000002 0a0b0c0e 00000007
			6ad1d3c41ae190c323fe18f5486515bc9ac75e813bb530a6`, true},
		{"RFC 1828", keyedMD5, 0x0a0b0c0f, 1, `45100041424240004033e4350a0000010a000002 11040000 0a0b0c0f
			02b4f6566209dc0c701d2db8c19b2dd8 06a506a50015150b30313233343536373839616263`, false},
		{"RFC 2085", replayMD5, 0x0a0b0c10, 1, `45100049424240004033e42d0a0000010a000002 11060000 0a0b0c10 0000000000000001
			15e2b694f1272dbc71880e5b6c8293ad 06a506a50015150b30313233343536373839616263`, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			clear, want := unhex(t, oldClear), unhex(t, c.want)
			out, in := params(c.tr, alice, bob, c.spi, 1)
			for _, p := range []*ipsec.SAParams{&out, &in} {
				if c.tr.Cipher != "" {
					p.CipherKey = unhex(t, "0123456789abcdef")
				} else {
					p.AuthKey = unhex(t, "000102030405060708090a0b0c0d0e0f")
				}
			}
			a, b := tunnelled(t, Config{FirstSequence: c.seq}, []ipsec.SAParams{out}, []ipsec.SAParams{in})
			d := a.Outbound(start, clear, 0)
			require.Equal(t, Protected, d.Outcome, d.Why)
			require.Len(t, d.Packet, len(want))
			if !c.theirsIV {
				require.Equal(t, want, d.Packet)
			}
			o := b.InboundProtected(start, want)
			require.Equal(t, Opened, o.Outcome, o.Why)
			require.Equal(t, clear, o.Packet)
			again := b.InboundProtected(start, want)
			if c.tr == replayMD5 {
				require.EqualValues(t, 1, o.Sequence)
				require.Equal(t, "replayed: the sequence number was received before", again.Why)
			} else {
				require.Zero(t, o.Sequence)
				require.Equal(t, Opened, again.Outcome, "without numbers a replay cannot be told")
			}
			bad := bytes.Clone(want)
			bad[4] ^= 1 // the identification: AH covers it
			if o := b.InboundProtected(start, bad); c.tr.Protocol == ipsec.AH && c.tr != replayMD5 {
				require.Equal(t, "not authentic: the integrity check failed", o.Why)
			}
		})
	}
}

// AH of RFC 1826 is said to have covered TOS and DF, which its successors leave out.
func TestOldAHCoversTOSAndDF(t *testing.T) {
	for at, covered := range map[int]bool{1: true, 6: true, 8: false, 10: false} {
		a, b := joined(t, Config{}, ipsec.Lifetime{}, keyedMD5)
		p := a.Outbound(start, unhex(t, oldClear), 0).Packet
		p[at] ^= 0x40
		require.Equal(t, covered, b.InboundProtected(start, p).Outcome == Dropped, "byte %d", at)
	}
}

// A number of 64 bits, which travels whole.
func TestCounterOf64Bits(t *testing.T) {
	a, b := joined(t, Config{FirstSequence: 1<<32 - 2}, ipsec.Lifetime{}, replayMD5)
	for want := uint64(1<<32 - 2); want < 1<<32+3; want++ {
		d := a.Outbound(start, toBob(1, 2), 0)
		require.Equal(t, want, d.Sequence)
		o := b.InboundProtected(start, d.Packet)
		require.Equal(t, Opened, o.Outcome, o.Why)
		require.Equal(t, want, o.Sequence)
	}
}

// What one generation has and the other has not does not go together.
func TestFirstGenerationAlone(t *testing.T) {
	for why, tr := range map[string]ipsec.Transform{
		"ESP with des-iv64 takes no integrity algorithm":                      {Protocol: ipsec.ESP, Cipher: "des-iv64", Auth: "hmac-md5-96"},
		"keyed-md5 is for AH alone":                                           {Protocol: ipsec.ESP, Cipher: "des-cbc", Auth: "keyed-md5"},
		"aes128-gmac is for AH alone":                                         {Protocol: ipsec.ESP, Cipher: "aes128-cbc", Auth: "aes128-gmac"},
		"extended sequence numbers are for transforms with a sequence number": {Protocol: ipsec.ESP, Cipher: "des-iv32", ESN: true},
		"ESP with aes128-ctr needs an integrity algorithm":                    {Protocol: ipsec.ESP, Cipher: "aes128-ctr"},
		"aes128-ccm8 authenticates by itself and takes no \"hmac-sha1-96\"":   {Protocol: ipsec.ESP, Cipher: "aes128-ccm8", Auth: "hmac-sha1-96"},
		"unsupported: des-cbc without integrity outside AH":                   {Protocol: ipsec.ESP, Cipher: "des-cbc"},
	} {
		out, _ := params(tr, alice, bob, 0x1000, 1)
		require.ErrorContains(t, newNode(t, Config{}).Add(start, out), why)
	}
	for _, tr := range generation {
		out, _ := params(tr, alice, bob, 0x1000, 1)
		require.NoError(t, newNode(t, Config{}).Add(start, out), "%v", tr)
	}
}

// A packet that is cut short, at any byte, is dropped and harms nothing.
func TestTruncatedFirstGeneration(t *testing.T) {
	for _, tr := range generation {
		a, b := joined(t, Config{}, ipsec.Lifetime{}, tr)
		p := a.Outbound(start, unhex(t, oldClear), 0).Packet
		for n := 20; n < len(p); n++ {
			cut := bytes.Clone(p[:n])
			finishIPv4(cut, cut, 20, p[9])
			o := b.InboundProtected(start, cut)
			if tr.Protocol == ipsec.AH || n < 20+4+8 {
				require.Equal(t, Dropped, o.Outcome, "%v, %d bytes", tr, n)
			}
		}
	}
}
