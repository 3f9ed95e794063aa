rem Source: MicrosoftDocs/windowsserverdocs, netsh ipsec, section Examples, dynamic mode. Names and addresses are others.
netsh ipsec dynamic add mmpolicy name="Lab-MM" qmpermm=100 mmlifetime=4800 softsaexpirationtime=1800 mmsecmethods="3DES-SHA1"
netsh ipsec dynamic add mmpolicy name="Lab-MM" qmpermm=100 mmlifetime=4800 softsaexpirationtime=1800 mmsecmethods="3DES-SHA1-2"
netsh ipsec dynamic add qmpolicy name="Lab-QM" soft=yes pfsgroup=GRP2 qmsecmethods="ESP:3DES-SHA1 ESP:AES128-SHA256"
netsh ipsec dynamic add qmpolicy name="Lab-QM" soft=yes pfsgroup=GRPMM qmsecmethods="ESP[3DES,SHA1]:100000k/3600s"
netsh ipsec dynamic add rule srcaddr=10.20.1.10 dstaddr=10.20.1.20 mmpolicy="Lab-MM" qmpolicy="Lab-QM" protocol=TCP srcport=80 dstport=80 mirrored=no conntype=lan actioninbound=permit actionoutbound=permit
netsh ipsec dynamic add rule srcaddr=me dstaddr=10.20.1.30 mmpolicy="Lab-MM" qmpolicy="Lab-QM" protocol=ANY psk="a key for the laboratory alone"
netsh ipsec dynamic delete rule srcaddr=10.20.1.10 dstaddr=10.20.1.20 protocol=TCP srcport=80 dstport=80 conntype=lan
netsh ipsec dynamic delete qmpolicy name="Lab-QM"
netsh ipsec dynamic show stats
