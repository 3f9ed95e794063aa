rem Source: Windows Server 2003 Networking Recipes, chapter 7 (as shown on what-when-how.com, pages 310, 316 and 318):
rem tags with spaces around the equals sign. Names and ports are others.
netsh ipsec static add policy name = "File Server" description = "Closes what nobody needs" activatedefaultrule = no
netsh ipsec static add filterlist name = "Port 1521"
netsh ipsec static add filter filterlist = "Port 1521" srcaddr = any dstaddr = me protocol = tcp dstport = 1521
netsh ipsec static add filteraction name = "Dropper" description = "Drops all traffic" action = block
netsh ipsec static add filteraction name = "Back to Clear" action = negotiate soft = yes
netsh ipsec static add rule name = "Block Port 1521" policy = "File Server" filterlist = "Port 1521" filteraction = "Dropper"
netsh ipsec static delete rule name = "Block Port 1521" policy = "File Server"
netsh ipsec static delete filteraction name = "Dropper"
netsh ipsec static delete filter filterlist = "Port 1521" srcaddr = any dstaddr = me
