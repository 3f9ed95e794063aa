rem Source: TechNet cc756041 (default exemptions) and cc783039 (startup security), cc739550 for the names of the properties.
netsh ipsec dynamic set config ipsecexempt value=0
netsh ipsec dynamic set config property=bootmode value=block
netsh ipsec dynamic set config property=bootexemptions value="TCP:0:3389:inbound ICMP:outbound"
netsh ipsec dynamic set config property=strongcrlcheck value=1
netsh ipsec dynamic set config property=ikelogging value=1
netsh ipsec dynamic set config property=ipsecdiagnostics value=7
netsh ipsec dynamic set config property=ipsecloginterval value=120
netsh ipsec dynamic set config ipsecexempt value=5
netsh ipsec dynamic show config
