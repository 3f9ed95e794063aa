package lint

import (
	"cmp"
	"time"

	"github.com/ipseclab/ipseclab/hosts/policy"
	"github.com/ipseclab/ipseclab/internal/ipsec"
)

// The bounds of lifetimes that pass without a remark: a choice of this project around
// what the documents use, an hour and 100,000 kB for quick modes (C120) and eight hours
// for main modes (MS-GPIPSEC 2.2.1.2).
const (
	shortQuickMode = 5 * time.Minute
	longQuickMode  = 24 * time.Hour
	shortMainMode  = 10 * time.Minute
	longMainMode   = 48 * time.Hour
	smallVolume    = 20_000 // kB
)

var lifetimeNone = &Rule{
	ID: "lifetime-none", Severity: Warning, Claims: []string{"C120"}, Source: "RFC 2407, Section 4.5",
	Title: "A security method has no lifetime at all",
	Why:   "Nothing is proposed then, and peers assume eight hours and no limit of volume; others may refuse.",
	Fix:   "Name both limits in the `security-methods`, such as 100000k/3600s.",
}

var lifetimeShort = &Rule{
	ID: "lifetime-short", Severity: Warning,
	Title: "Keys are replaced all the time",
	Why:   "Each new pair of SAs takes messages and, with perfect forward secrecy, an exchange; traffic that outruns its keys waits.",
	Fix:   "Let quick modes live for five minutes and 20,000 kB at least (`security-methods`), and main modes for ten minutes (`lifetime`).",
}

var lifetimeLong = &Rule{
	ID: "lifetime-long", Severity: Warning,
	Title: "Keys are used for more than a day, or main modes for more than two",
	Why:   "Whoever finds a key reads all of it, and a computer that has lost its right to connect keeps its SAs so long.",
	Fix:   "Stay near 3600 s for quick modes (`security-methods`) and eight hours for main modes (`lifetime`).",
}

var volumeNone = &Rule{
	ID: "volume-none", Severity: Info, Claims: []string{"C120"}, Source: "NIST SP 800-67",
	Title: "A method with DES or 3DES has no limit of volume",
	Why:   "Blocks of 64 bits begin to repeat after some 32 GiB under one key, and repeated blocks tell about the data.",
	Fix:   "Name a limit in kilobytes beside the seconds in the `security-methods`, such as 100000k/3600s.",
}

func checkLifetimes(l *linter) {
	for _, p := range l.policies {
		at := Ref{Part: MainModeLifetime, Policy: p.Name}
		switch life := cmp.Or(p.MainMode.Lifetime, policy.DefaultMainModeLifetime); {
		case life < shortMainMode:
			l.report(lifetimeShort, at, "main modes of policy %s live for %s", p.Name, life)
		case life > longMainMode:
			l.report(lifetimeLong, at, "main modes of policy %s live for %s", p.Name, life)
		}
	}
	for _, list := range l.methodLists() {
		for i, m := range list.methods {
			life, at := m.Lifetime, list.ref(i)
			small := uses(m, func(t ipsec.Transform) bool { return t.Cipher == "des-cbc" || t.Cipher == "3des-cbc" })
			switch {
			case life == ipsec.Lifetime{}:
				l.report(lifetimeNone, at, "%s: %s proposes no lifetime", list.who, methodName(m))
				continue
			case life.Duration != 0 && life.Duration < shortQuickMode || life.Kilobytes != 0 && life.Kilobytes < smallVolume:
				l.report(lifetimeShort, at, "%s: %s lives for %s", list.who, methodName(m), life)
			case life.Duration > longQuickMode || life.Duration == 0:
				l.report(lifetimeLong, at, "%s: %s lives for %s", list.who, methodName(m), life)
			}
			if small && life.Kilobytes == 0 {
				l.report(volumeNone, at, "%s: %s has no limit of volume", list.who, methodName(m))
			}
		}
	}
}
