rem Source: forms that scripts on public pages have and that netsh of Windows Server 2003, or this reader, does not take:
rem typographic quotes of web pages, variables and loops of batch files, later versions of netsh, ipseccmd.
set SERVER=10.80.0.1
netsh ipsec static add filter filterlist=a srcaddr=%SERVER% dstaddr=me
netsh ipsec static add filterlist name=“Quoted by a web page”
for %%p in (135 139 445) do netsh ipsec static add filter filterlist=a srcaddr=any dstaddr=me protocol=tcp dstport=%%p
netsh advfirewall consec add rule name="isolation" endpoint1=any endpoint2=any action=requireinrequestout
netsh ipsec static add filter filterlist=a srcaddr=10.80.0.1-10.80.0.9 dstaddr=me
netsh ipsec static add filter filterlist=a srcaddr=2001:db8::1 dstaddr=me
netsh ipsec static add filteraction name=b qmsecmethods="ESP[AES256,SHA256]:100000k/3600s"
ipseccmd -w REG -p "Old" -r "Block" -f *+0:445:TCP -n BLOCK -x
netsh ipsec static add filter filterlist=a srcaddr=10.80.0.1 dstaddr=me
