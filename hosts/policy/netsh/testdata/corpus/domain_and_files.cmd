rem Source: the reference of set store, exportpolicy, importpolicy, set policy gponame and show gpoassignedpolicy.
netsh ipsec static set store location=domain domain=corp.example.com
netsh ipsec static add policy name="Server isolation"
netsh ipsec static set policy name="Server isolation" assign=yes gponame="Default Domain Policy"
netsh ipsec static show gpoassignedpolicy
netsh ipsec static set store location=local
netsh ipsec static exportpolicy file=C:\backup\all.ipsec
netsh ipsec static importpolicy file=C:\backup\all.ipsec
netsh ipsec static restorepolicyexamples release=win2003
netsh ipsec static set policy name="Server isolation" assign=yes
