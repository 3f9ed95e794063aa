package payload

// Authentication methods of phase 1. RFC 2409, Appendix A; ECDSA from RFC 4754;
// hybrid from draft-ietf-ipsec-isakmp-hybrid-auth-05; XAUTH from
// draft-beaulieu-ike-xauth-02, Section 7.2.
const (
	AuthPSK                  uint16 = 1
	AuthDSS                  uint16 = 2
	AuthRSASignature         uint16 = 3
	AuthRSAEncryption        uint16 = 4
	AuthRevisedRSAEncryption uint16 = 5
	AuthECDSA256             uint16 = 9
	AuthECDSA384             uint16 = 10
	AuthECDSA521             uint16 = 11
	AuthHybridInitRSA        uint16 = 64221
	AuthHybridRespRSA        uint16 = 64222
	AuthHybridInitDSS        uint16 = 64223
	AuthHybridRespDSS        uint16 = 64224
	AuthGSSAPI               uint16 = 65001 // draft-ietf-ipsec-isakmp-gss-auth-07; the number is AuthXAUTHInitPSK too
	AuthXAUTHInitPSK         uint16 = 65001
	AuthXAUTHRespPSK         uint16 = 65002
	AuthXAUTHInitDSS         uint16 = 65003
	AuthXAUTHRespDSS         uint16 = 65004
	AuthXAUTHInitRSA         uint16 = 65005
	AuthXAUTHRespRSA         uint16 = 65006
	AuthXAUTHInitRSAEnc      uint16 = 65007
	AuthXAUTHRespRSAEnc      uint16 = 65008
	AuthXAUTHInitRevised     uint16 = 65009
	AuthXAUTHRespRevised     uint16 = 65010
	AuthCGA                  uint16 = 0xfded // MS-IKEE, 2.2.4; the number is AuthXAUTHInitRSA too
)

var authNames = map[uint16]string{
	AuthPSK: "pre-shared key", AuthDSS: "DSS signatures", AuthRSASignature: "RSA signatures", AuthRSAEncryption: "Encryption with RSA",
	AuthRevisedRSAEncryption: "Revised encryption with RSA", AuthECDSA256: "ECDSA-256", AuthECDSA384: "ECDSA-384", AuthECDSA521: "ECDSA-521",
	AuthHybridInitRSA: "HybridInitRSA", AuthHybridRespRSA: "HybridRespRSA", AuthHybridInitDSS: "HybridInitDSS", AuthHybridRespDSS: "HybridRespDSS",
	AuthGSSAPI: "GSS-API or XAUTHInitPreShared", AuthXAUTHRespPSK: "XAUTHRespPreShared", AuthXAUTHInitDSS: "XAUTHInitDSS",
	AuthXAUTHRespDSS: "XAUTHRespDSS", AuthXAUTHInitRSA: "XAUTHInitRSA or CGA", AuthXAUTHRespRSA: "XAUTHRespRSA",
	AuthXAUTHInitRSAEnc: "XAUTHInitRSAEncryption", AuthXAUTHRespRSAEnc: "XAUTHRespRSAEncryption",
	AuthXAUTHInitRevised: "XAUTHInitRSARevisedEncryption", AuthXAUTHRespRevised: "XAUTHRespRSARevisedEncryption",
}

// AuthMethodName is the name of a phase 1 authentication method in a message whose
// sender has said these vendor IDs. Microsoft and the authors of XAUTH took two
// numbers at the same time: 65001 is GSS-API from who sends the vendor ID GSSAPI,
// 65005 is CGA from who sends IKE CGA version 1, and each is a method of XAUTH from
// who sends that vendor ID. From who sends both or neither it has both names.
func AuthMethodName(m uint16, vendors []VendorID) string {
	said := map[string]bool{}
	for _, v := range vendors {
		known, _ := v.Vendor()
		said[known] = true
	}
	xauth := said[VendorXAUTH]
	switch {
	case m == AuthGSSAPI && said[VendorGSSAPI] && !xauth:
		return "GSS-API"
	case m == AuthXAUTHInitPSK && xauth && !said[VendorGSSAPI]:
		return "XAUTHInitPreShared"
	case m == AuthCGA && said[VendorCGA] && !xauth:
		return "CGA"
	case m == AuthXAUTHInitRSA && xauth && !said[VendorCGA]:
		return "XAUTHInitRSA"
	}
	return name(authNames, m)
}
