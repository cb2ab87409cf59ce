# ruff: noqa: E501, RUF001 - a word list in many scripts
"""The words that attacks are made of, by what they do in a sentence, in 20 languages.

One entry a `|`; an entry ends in `*` when any ending may follow (inflected languages). Entries of
scripts that put no space between words, or glue particles to them, are found anywhere; the others
only at the start of a word. `_` stands for a blank at the end. All are compared in the folded form (see `normalize.fold`).
"""

from __future__ import annotations

from typing import Final

from langchain_prodkit.guard.concepts import Does

__all__ = ["LEXICON"]


LEXICON: Final[dict[Does, str]] = {
    Does.OVERRIDE: """
overwrite|overwriting|replace your|
記憶から消|従う必要はあり|従う必要はない|守る必要はあり|破棄して|捨てて|احذف من ذاكر|ضع جانب|لا تتقيد|لا تتبع|忽视|不必遵守|无需遵守|不用遵守|ไม่ต้องปฏิบัติตาม|ไม่ต้องทำตาม|ทิ้งคำสั่ง|khong can tuan theo|khong tuan theo|tidak perlu mengikuti|nie musisz przestrzegac|du musst nicht|ya no tienes que|tu n'as plus a|nao precisa mais|non devi piu|je hoeft niet meer|artik uymak zorunda|
leave behind|leave aside|lay aside|don't listen to|do not listen to|stop caring about|do not adhere to|don't adhere to|deviate from|disobey|despite|invalidate|ignorera*|bortse|hoppa over|radera|overge|folj inte|lyd inte|upphav*|aterkalla*|ignorer*|glem|se bort fra|unohda*|jata huomiotta|zapomen*|ignoruj*|zrus*|felejtsd el|hagyd figyelmen|забудь*|відкин*|знехтуй*|не виконуй*|не дотримуйся|обійди|버리고|버려|버릴|신경 쓰지|신경쓰지|지우고|따르지 말|무효로|laktaw*|kanselahin*|wag pansinin|huwag pansinin|wag sundin|isawalang|অগ্রাহ্য|বাদ দাও|এড়িয়ে যা|মুছে ফেল|تخلص من|تغاض|اترك جميع|لا تتبعي|لا تطبق|प्रयोग मत|भुला|हटा दो|ignoreaza*|lasa deoparte|sari peste|
drop each|drop whatever|drop one|drop both|drop such|
drop all|drop any|drop your|drop the|drop every|drop these|drop those|drop previous|drop prior|drop former|drop earlier|drop initial|drop my|
jangan lagi|uyma|nie trzymaj sie|nie przestrzegaj*|не придерживайся|больше не следуй|dung theo|不要再|别再|지키지 마|지키지마|따르지 않|تخط|لا تلتزم|पालन मत|মেনে চলো না|মানবে না|उल्लंघन|迂回|破って|忘れて|破れ|無視して|守らない|従わず|อย่าปฏิบัติตาม|ฝ่าฝืน|halte dich nicht mehr|folge nicht mehr|ne respectez plus|ne suivez plus|no obedezcas|nao obedeca|non obbedire|volg niet langer|houd je niet aan|sluit niet aan|
no longer obey|do not do what|don't do what|stop obeying|stop listening to|refrain from following|ignoring|disregarding|pay no heed to|pay no mind to|throw out|forget about|do away with|unlearn|stop applying|reset your|
ignore|disregard|forget|override|overrule|bypass|neglect|supersede|discard|set aside|throw away|
throw out|put aside|cast aside|pay no attention to|do not follow|don't follow|stop following|stop obeying|do not obey|
don't obey|no longer follow|erase|scrap|abandon|break free|revoke|treat as void|do not comply|
circumvent|delete from memory|get rid of|dismiss|annul|rescind|nullify|stop adhering|
ignorier*|vergiss*|vergess*|missacht*|verwirf|verwerfe*|uberschreib*|streiche|ubergehe|losch*|
beachte nicht|halte dich nicht|
ignora*|olvid*|descart*|anul*|desobedec*|borra*|sobrescrib*|pasa por alto|deja de lado|deja de seguir|no sigas|omite|omita|
ignore*|oubli*|neglige*|annule*|efface*|passe outre|ne respecte plus|ne tiens plus compte|ne tenez pas compte|ne suis plus|faites abstraction|fais abstraction|
esquec*|desconsider*|apague*|sobrescrev*|nao siga*|pare de seguir|despreze|
dimentic*|scarta*|annulla*|trascura*|cancella*|sovrascrivi*|non rispettare*|non seguire|lascia perdere|
negeer*|vergeet*|verwerp*|overschrijf*|sla over|wis uit|zet opzij|
zignoruj*|ignoruj*|zapomnij*|odrzuc*|pomin*|uniewazni*|nadpisz*|wymaz*|porzuc*|
игнорир*|проигнорир*|забуд*|отброс*|отмени*|не соблюдай*|сотри*|перезапиш*|пропусти*|не следуй*|
ігноруй*|проігнор*|скасуй*|
yok say*|unut*|goz ardi et*|gormezden gel*|iptal et*|bir kenara birak*|hafizandan sil*|cigne*|gecersiz say*|
bo qua*|hay quen|phot lo*|huy bo|dung tuan theo|xoa khoi|ghi de|gat sang|quen het|quen di|
abaikan*|lupakan*|batalkan*|jangan ikuti*|hapus dari*|timpa*|kesampingkan*|
balewalain*|kalimutan*|huwag sundin|isantabi*|
ignora*|uita*|nu respecta*|nu mai urma*|anuleaza*|renunta la|
αγνοησ*|ξεχασ*|παρακαμψ*|ακυρωσ*|παραβλεψ*|διαγραψ*|
ignorera*|glom*|strunta i|bortse fran|asidosatt*|
무시|잊어|잊고|잊으|따르지 마|따르지마|취소하|폐기하|지워|덮어쓰|파기하|어기고|제쳐|
忽略|无视|無視|忘记|忘記|忘掉|不要理会|不用理会|别管|不要遵守|不再遵守|不要遵循|抛开|丢弃|覆盖|作废|绕过|撇开|取消|
無視し|忘れ|破棄し|従わない|従うな|取り消|上書きし|無効にし|
تجاهل|انس_|انسى|تجاوز|الغ_|الغاء|اهمل|لا تتبع|تخل عن|امسح|
अनदेखा|नजरअंदाज|नज़रअंदाज|भूल जा|भूलो|रद्द कर|मत मान|उपेक्षा कर|छोड़ो|
উপেক্ষা|ভুলে যা|বাতিল কর|অমান্য|
เพิกเฉย|ละเว้น|ลืม|ไม่ต้องสนใจ|อย่าทำตาม|ยกเลิก|มองข้าม|ละทิ้ง|
התעלם|התעלמ|שכח|בטל את|נגד ההוראות
""",
    Does.RULES: """
guidance|
previous tasks|previous assignments|previous information|prior information|prior tasks|information you received|the developer wrote|the operator wrote|the developer said|the operator said|your operator|your developers|your creators|what you've been told|what you were told|what you have been told|aufgaben|informationen|anforderung*|tareas|taches|tarefas|compiti|taken|zadania|задани*|задач*|gorev*|nhiem vu|tugas|instruktion*|regler*|anvisning*|direktiv*|riktlinj*|begransning*|foreskrift*|instrukser*|retningslinj*|ohjeet|ohjeita|saannot|saantoj*|pokyny|pravidla|utasitas*|szabaly*|вказівк*|обмежен*|розпоряджен*|patakaran*|panuntunan*|mga utos|limitasyon*|নির্দেশনা|নীতি|বিধি|ضوابط|سياسات|المبادئ|مهامك|المهام السابقه|प्रतिबंध|सीमाएं|दिशानिर्देश|दिशा-निर्देश|
previous prompt|prior prompt|system prompt|original prompt|initial prompt|earlier prompt|above prompt|prompt above|your prompt|first prompt|
kontext|contexto|contexte|contesto|kontekst*|контекст*|baglam*|ngu canh|konteks|맥락|컨텍스트|上下文|语境|文脈|コンテキスト|السياق|ارشادات|توجيهات|संदर्भ|প্রসঙ্গ|บริบท|הקשר|veiligheidsregels|sicherheitsregel*|alituntunin*|kurallarin*|제약|방침|方針|规章|方针|
directions|protocols|boundaries|principles|ethics|moral guidelines|norms|context|safety settings|content filters|filters|role|persona|system settings|alignment|mandates|safety measures|
instruction|instructions|instruct|rules|guideline|guidelines|directive|directives|commands|orders|
prompts|constraint|constraints|restriction|restrictions|policies|limitations|safeguards|guardrails|
safety checks|system message|system messages|programming|
anweisung*|instruktion*|regel|regeln|vorgabe*|befehl*|richtlinie*|auftrag|aufgabe|beschrankung*|
instruccion*|regla|reglas|directri*|orden|ordenes|normas|restriccion*|indicacion*|
consigne*|regle|regles|directive*|ordre|ordres|
instruc*|regra|regras|diretri*|ordens|restric*|
istruzion*|regole|direttiv*|ordini|linee guida|restrizion*|comandi|
instructie*|regels|richtlijn*|opdracht*|
instrukcj*|zasad*|wytyczn*|polece*|regul*|
инструкци*|правил*|указани*|команд*|установк*|ограничени*|директив*|распоряжени*|настройк*|
інструкці*|настанов*|наказ*|
talimat*|kural*|yonerge*|emir*|komut*|
chi dan|quy tac|huong dan|menh lenh|cac lenh|quy dinh|lenh|chi thi|yeu cau|
instruksi*|aturan*|pedoman*|perintah*|ketentuan*|
tagubilin*|panuto*|utos|patakaran*|tuntunin*|
instructiun*|reguli*|regulile|indicatii*|comenzi*|
οδηγι*|κανον*|εντολ*|περιορισμ*|
지시|명령|규칙|지침|프롬프트|가이드라인|제한|설정|
指令|指示|规则|規則|提示|命令|限制|要求|准则|设定|規定|
ルール|指図|プロンプト|制約|ガイドライン|設定|
التعليمات|تعليمات|الاوامر|اوامر|القواعد|قواعد|الارشادات|توجيهات|القيود|
निर्देश|नियम|आदेश|हिदायत|
নির্দেশ|নিয়ম|আদেশ|
คำสั่ง|กฎ|ข้อกำหนด|คำแนะนำ|แนวทาง|
ההוראות|הוראות|הכללים|ההנחיות
""",
    Does.QUALIFY: """
السابق|قواعدك|ارشاداتك|تعليماتك|توجيهاتك|امان|السابقين|
past|of the operator|of the developer|the developer wrote|the operator wrote|your operator|your developers|your creators|what you've been told|what you were told|what you have been told|initially|foregaende|samtliga|dina|hittills|ursprunglig*|befintlig*|tidligere|foregående|aiemmat|kaikki|vsechny|predchozi|elozo|korabbi|osszes|раніше|початков*|всі|твої|свої|ваші|dati|dating|mga dating|kaligtasan|sinabi sa iyo|পূর্ববর্তী|সকল|এর আগে|المذكوره|التي تلقيتها|سابقا|मौजूदा|दिए गए|anteriores|recibid*|recebid*|recues|erhalten*|
المطور|개발자|开发者|開発者|वर्तमान|เหล่านี้|나의|네_|안전|安全|นักพัฒนา|ความปลอดภัย|डेवलपर|सुरक्षा|নিরাপত্তা|sicherheits*|de seguridad|de seguranca|di sicurezza|bezpieczenstwa|безопасности|guvenlik*|an toan|keamanan|veiligheids*|seguridad|entwickler*|desarrollador|developpeur|desenvolvedor|sviluppatore|tworcy|разработчика|gelistirici*|nha phat trien|pengembang*|
any of the|all of the|developer's|openai's|the system's|the developer|of the developer|you were given|you have been given|you've been given|you received|you got|you have received|given to you|ethical|set by|that were|previously|
previous|prior|above|earlier|preceding|foregoing|former|existing|initial|original|all|any|every|your|system|
safety|these|those|until now|so far|
bisherig*|vorherig*|obig*|oben|fruher*|alle|samtlich*|deine|deiner|ihre|systemvorgaben*|davor|vorigen|vorangegangen*|ursprunglich*|
anterior*|previa*|previo*|arriba|todas|todos|tus|de sistema|del sistema|originales|
precedent*|ci-dessus|toutes|tous|tes|anterieur*|de securite|systeme|vos|
acima|previas|todas as|todas|suas|seu|anteriores|
precedent*|qui sopra|di sopra|tutte|tue|tuoi|ricevut*|
eerder*|hierboven|vorig*|alle|je|systeem*|voorgaand*|
poprzedni*|powyzsz*|wczesniejsz*|wszystki*|swoje|systemow*|
предыдущ*|выше*|прежн*|все|всех|свои|твои|системн*|прошл*|
попередн*|вище|усі|системні|
onceki*|yukarida*|butun|tum|sistem*|daha once|
truoc do|o tren|phia tren|phia truoc|tat ca|moi|he thong|da nhan|cua ban|
sebelumnya*|di atas|semua|seluruh|terdahulu|sistem*|
nakaraan*|nauna*|itaas|lahat|
anterioar*|de mai sus|toate|
προηγουμεν*|παραπανω|ολες|ολους|
tidigare|ovan|alla|
이전|위의|앞의|앞서|모든|기존|지금까지|지금 까지|위에|시스템|원래|당신의|너의|여태|
以上|之前|上面|先前|前面|此前|所有|上述|系统|系統|你的|原有|以前|一切|
これまで|以前|上記|前の|すべて|全て|全ての|今まで|システム|先ほど|上の|あなたの|元の|
السابقة|اعلاه|جميع|كل_|السابقه|النظام|
पिछले|ऊपर|सभी|पहले|पूर्व|सिस्टम|सारे|पुराने|
পূর্ব|আগের|উপরের|সমস্ত|সব_|
ก่อนหน้า|ข้างต้น|ด้านบน|ทั้งหมด|ที่ผ่านมา|ระบบ|เดิม|
הקודמות|לעיל|כל_
""",
    Does.EVERYTHING: """
言われたこと|言ったこと|聞いたこと|كل ما سبق|ما قيل لك|说过的|告诉你的|ที่บอก|ที่เคยบอก|নির্দেশিত সব|
들은 모든|말한 모든|맥락을 전부|lahat ng sinabi|lahat ng nauna|allt|все, що|усе, що|সবকিছু|যা কিছু|كل الذي|सारी बातें|
всё написанное|tout ce qui precede|alles bisherige|alles obige|tutto quanto|yukaridakilerin hepsi|mọi thứ|semua di atas|ここまで|以上内容|위의 모든|लिखा हुआ सब|ทั้งหมดข้างต้น|lahat ng nasa|
everything|anything you were told|all you were told|what you were told|what you have been told|what i said|all that|all of that|
all the above|all of the above|the text above|the context|your training|your programming|whatever|
alles|was dir|den kontext|gesamten kontext|todo lo|todo el contexto|tout ce|tout le contexte|tout|tudo|todo o contexto|tutto|todo|
wszystko|caly|всё|весь|все, что|её|her sey*|butun|tat ca|toan bo|semua|totul|ολα|allt|
모든 것|모두|다 잊|전부|내용|대화|一切|所有内容|全部|内容|すべて|全部|全て|كل ما|كل شيء|सब कुछ|सब|ทุกอย่าง|הכל
""",
    Does.PRIOR: """
سبق|قيل لك|
hittills|раніше|до цього|досі|noon|আগে|উপরে|حتى الان|
ここまで|itaas|przed tym|do tej pory|до сих пор|qui sopra|hasta ahora|jusqu'ici|finora|ate agora|tot nu toe|
above|before|prior|previous*|earlier|preceding|so far|until now|up to now|already told|were told|been told|beforehand|
davor|bisher*|oben|vorher*|zuvor|arriba|anterior*|antes|precede*|avant|ci-dessus|prima|sopra|acima|eerder*|hierboven|
poprzedni*|powyzej|wczesniej*|раньше|выше|до этого|предыдущ*|once|onceki*|yukarida*|truoc do|o tren|sebelum*|di atas|inainte|
προηγουμεν*|tidigare|ovan|이전|앞서|위의|지금까지|之前|以上|上面|前面|先前|此前|以前|これまで|今まで|先ほど|上記|قبل|سابق|पहले|ऊपर|पिछल|ก่อนหน้า|ข้างต้น|ด้านบน|לפני|לעיל
""",
    Does.REVEAL: """
read|need to see|want to see|like to see|have to see|give us|
list|state|let me see|reproduce|replicate|return|include|extract|retrieve|present|render|read me|append|skriv ut|avsloja*|oversatt*|sammanfatta*|beratta|розкрий|повтори|переклади|напиши|надрукуй|перекажи|скажи|sabihin*|isulat*|ilista*|ilabas*|isalin*|বল|লেখ|প্রকাশ কর|اكشف|اذكر|قل لي|اخبرني|बताइए|बताओ|बोलो|
put in a|put into a|put it in|reverse|spell|rephrase|convert|complete the text|continue the text|read back|read aloud|write all|write everything|start your answer with|begin your answer with|
reveal|show|print|repeat|output|display|tell me|give me|write out|write down|spell out|dump|disclose|leak|expose|recite|
translate|summarise|summarize|paraphrase|share|quote|copy|echo|provide|read out|encode|rhyme|transcribe|
verbatim|word for word|type out|hand over|
zeige*|zeig|gib|nenne|verrate*|wiederhol*|ubersetz*|fasse|schreibe|enthull*|drucke|liste|offenbar*|
muestra*|muestre*|mostra*|dime|revela*|repite*|traduce|resume|escribe*|enumera*|imprime*|
affiche*|montre*|revele*|repete*|traduis*|resume*|donne*|ecris|imprime*|divulgue*|
mostre*|diga*|repita*|traduza|resuma|escreva*|
mostra*|mostrami|rivela*|ripeti*|traduci|riassumi|scrivi*|dimmi|stampa|
toon*|herhaal*|vertaal|vat|geef|schrijf|
pokaz*|powtorz*|przetlumacz*|stresc*|wypisz*|podaj*|
покажи*|повтор*|переведи|перескажи|выведи*|напиши|напечата*|назови|выдай|
покажи|виведи|поклади|
goster*|acikla*|tekrarla*|cevir*|ozetle*|yaz|soyle*|
hien thi*|tiet lo*|lap lai*|dich|tom tat*|viet|cho toi|in ra|
tampilkan*|ungkap*|ulangi*|terjemahkan*|ringkas*|tulis*|sebutkan*|
ipakita*|ulitin*|arata*|dezvalui*|repeta*|afiseaza*|δειξ*|αποκαλυψ*|επαναλαβ*|εμφανισ*|visa|upprepa*|
보여|출력|공개|알려|말해|반복|번역|요약|적어|써줘|써 줘|밝혀|나열|읊어|复述|
显示|顯示|输出|輸出|告诉我|告訴我|泄露|透露|重复|重複|翻译|翻譯|总结|打印|列出|写出|展示|公开|
表示|出力|教えて|見せて|繰り返|翻訳|要約|公開|書き出|書いて|
اعرض|اظهر|كرر|ترجم|لخص|اطبع|اكتب|
दिखा|बता|दोहरा|अनुवाद|लिख|प्रकट|
দেখা|পুনরাবৃত্তি|
แสดง|เปิดเผย|ทำซ้ำ|แปล|สรุป|บอก|พิมพ์|
הצג|חשוף|הראה
""",
    Does.PROMPT: """
you were told to protect|you are protecting|you're protecting|you were told to hide|you must protect|you are guarding|told to keep secret|supposed to keep secret|supposed to protect|the prompt text|your prompt text|text of the prompt|text of your prompt|prompt given above|exact text of your|
starting instructions|starting prompt|opening instructions|base instructions|your base prompt|your configuration prompt|your system configuration|full instructions you|your context verbatim|contents of your context|content of your context|your system role|systeminstruktion*|hemliga instruktion*|dina instruktioner|dolda instruktion*|ovanfor denna rad|systemowa instrukcj*|ukryte instrukcje|twoje instrukcje|tue regole|instrucoes ocultas|системн* інструкц*|системн* підказк*|приховані інструкції|твої інструкції|gizli yonerge*|talimatlarini kelimesi|instruksi tersembunyi|instruksimu|instruksi awal*|chi dan ban dau|chi dan an|숨겨진 지시|숨은 지시|초기 지시|초기 프롬프트|너의 지시|네 지시|당신의 지시|隐藏的指令|隐藏指令|初始指令|初始提示|你的指令|隠された指示|初期プロンプト|初期指示|あなたへの指示|التعليمات المخفيه|التعليمات الاوليه|موجه النظام|تعليماتك|छिपे निर्देश|छिपे हुए निर्देश|शुरुआती निर्देश|तुम्हारे निर्देश|आपके निर्देश|คำสั่งเริ่มต้น|คำสั่งที่ซ่อน|คำสั่งของคุณ|
instructions were you|your instructions verbatim|instructions do you have|all of your instructions|your entire prompt|entire prompt|the full prompt|original system|your internal|your setup message|your base prompt|message at the top|text at the top|at the top of this conversation|everything you were told|what you were told|rules you were told|rules you follow|rules you must follow|secret guidelines|secret directives|confidential rules|confidential guidelines|
your system message*|the system message|entire system message|full system message|the developer message|your developer message|your initial message|your initial rules|your initial setup|your secret rules|your secret guideline*|your hidden rules|your hidden guideline*|your confidential*|
你的提示词|系统提示词|
everything above|everything before this|your system prompt|your exact rules|your guidelines verbatim|messages before mine|before mine|instructions at the start|instructions at the beginning|instructions at the very|start of this chat|start of this conversation|start of the conversation|beginning of this conversation|beginning of the conversation|beginning of this chat|rules you must not|not supposed to tell|told not to|above this line|above this sentence|above this message|given initially|given to you initially|prior to this message|you were initialized with|your preamble|your context window|your original instructions|verbatim instructions|your full instructions|your programming instructions|initial configuration|instructions you have|instructions you follow|instructions you've been given|how you were instructed|how you were prompted|rules that you were given|prompts given to you|
system prompt*|system instruction*|initial prompt*|initial instruction*|original prompt*|original instruction*|hidden prompt*|hidden instruction*|hidden rules|
secret prompt*|secret instruction*|secret rules|secret guideline*|secret directive*|internal instruction*|internal prompt*|internal guideline*|internal rules|your prompt|your instructions|
your directives|confidential configuration|hidden configuration|system configuration|developer prompt*|developer instruction*|
instructions you were given|instructions you received|instructions given to you|above this line|preprompt|
pre-prompt|prompt you were given|confidential instruction*|confidential prompt*|rules you were given|initialization above|system settings prompt|
your creators told|you were told to keep|exact instructions|
systemprompt*|system-prompt*|systemanweisung*|systemvorgab*|system-anweisung*|geheime* anweisung*|deine anweisungen|deine regeln|alles, was uber|deine vorgaben|
prompt de sistema|prompt del sistema|instrucciones secretas|instrucciones del sistema|instrucciones ocultas|mensaje del desarrollador|encima de esta linea|tus instrucciones|
prompt systeme|invite systeme|instructions secretes|instructions systeme|consignes systeme|message du developpeur|au-dessus de cette ligne|tes instructions|vos instructions|
prompt do sistema|instrucoes secretas|instrucoes do sistema|mensagem do desenvolvedor|acima desta linha|suas instrucoes|
prompt di sistema|istruzioni segrete|istruzioni di sistema|messaggio dello sviluppatore|sopra questa riga|tue istruzioni|
geheime instructies|boven deze regel|jouw instructies|je instructies|
prompt systemowy|tajne instrukcje|instrukcje systemowe|nad ta linia|
системн* промпт*|системн* инструкци*|системн* сообщени*|секретн* инструкци*|скрыт* инструкци*|сообщение разработчика|над этой строкой|твои инструкции|
системний промпт|
sistem istemi*|sistem mesaji*|gizli talimat*|gelistirici mesaji*|bu satirin ustunde*|sistem komut*|
loi nhac he thong|prompt he thong|chi dan bi mat|tin nhan cua nha phat trien|phia tren dong nay|
prompt sistem*|instruksi rahasia*|pesan pengembang*|di atas baris ini|instruksi sistem*|
promptul de sistem|instructiunile secrete|instructiunile tale|προτροπη συστηματος|μυστικες οδηγιες|οδηγιες συστηματος|systemprompten|
시스템 프롬프트|시스템프롬프트|시스템 메시지|시스템 지시|비밀 지시|숨겨진 지시|개발자 메시지|초기 지시|이 줄 위|너의 지침|당신의 지침|너의 설정|네 설정|당신의 설정|비밀 지침|시스템 명령|내부 지침|
系统提示|系統提示|系统指令|系统消息|隐藏指令|秘密指令|初始指令|开发者消息|这行以上|这一行上面|你的指令|内部指令|
システムプロンプト|システムメッセージ|システム指示|秘密の指示|隠された指示|開発者メッセージ|この行より上|この行の上|初期指示|内部指示|
موجه النظام|تعليمات النظام|رساله المطور|التعليمات السريه|فوق هذا السطر|
सिस्टम प्रॉम्प्ट|गुप्त निर्देश|सिस्टम निर्देश|डेवलपर संदेश|इस पंक्ति के ऊपर|
সিস্টেম প্রম্পট|
พรอมต์ระบบ|พรอมป์ระบบ|ข้อความระบบ|ข้อความจากนักพัฒนา|เหนือบรรทัดนี้|
הנחיית המערכת|הוראות המערכת
""",
    Does.ROLE: """
du ar nu|du ska nu|agera som|lat som att|spela rollen|forestall dig att du|тепер ти|ти тепер|дій як|уяви, що ти|прикинься|віднині ти|грай роль|gampanan*|magpanggap|kumilos bilang|ikaw na ngayon|du er nu|du er na|olet nyt|nyni jsi|jsi ted|te most egy|
मान लो कि|चरित्र निभा|চরিত্রে অভিনয়|สวมบท|만약 너는|가정해|역할극|설정이다|अभिनय कर|あなたは今|ごっこ|として振る舞|설정으로|当作|充当|你将扮演|ты играешь|jouez le role|stell dir vor, du|wyobraz sobie|immagina di essere|imagine que|haz como si|
you are now|you're now|u r now|you will now|act as|acting as|pretend|play the role|play the part|role of|role-play|roleplay|from now on|from this moment|henceforth|
switch to|enter|activate|enable|become|imagine you are|simulate|behave as|you are going to|take on the role|assume the role|you play|you will be|speak as|respond as|answer as|i unlock|immerse yourself|you are|
du bist jetzt|ab sofort|ab jetzt|von nun an|tu so|spiele|stell dir vor|du bist|
ahora eres|a partir de ahora|haz el papel|finge|actua como|entra en|imagina que eres|desde ahora|eres|ahora estas|
tu es desormais|tu es maintenant|a partir de maintenant|joue le role|fais comme si|fais semblant|desormais|agis comme|
agora voce e|voce agora e|de agora em diante|a partir de agora|interprete|finja|aja como|
ora sei|adesso sei|da adesso|da ora|d'ora in poi|interpreta|fingi|comportati|
je bent nu|vanaf nu|speel|
jestes teraz|od teraz|wciel sie|udawaj|
теперь ты|ты теперь|с этого момента|сыграй|представь|притворись|отныне|веди себя как|
тепер ти|
artik*|bundan sonra|rolunu|simdi sen|farz et|varsay|
bay gio ban la|tu gio|hay dong vai|dong vai|gia vo|chuyen sang che do|
sekarang kamu|mulai sekarang|perankan|berpura-pura*|bertindak sebagai|
ikaw na ngayon|magpanggap|kumilos bilang|mula ngayon|acum esti|de acum|prefa-te|joaca rolul|εισαι πλεον|απο τωρα|προσποιησου|du ar nu|fran och med nu|lat som|
이제부터|지금부터|너는 이제|넌 이제|당신은 이제|역할을|연기해|척해|척하|모드로|인 것처럼|
你现在是|从现在开始|从现在起|现在你是|扮演|假装|进入|切换到|你是|
あなたは今から|今から|これから|になりきって|演じて|ふりをして|あなたは|
انت الان|من الان|تظاهر|العب دور|تصرف|ادخل|
अब तुम|अब आप|अब से|नाटक कर|भूमिका|बन जा|मोड में|
এখন তুমি|এখন আপনি|এখন থেকে|ভান কর|
ตอนนี้คุณคือ|นับจากนี้|ต่อไปนี้|จากนี้ไป|สวมบทบาท|แสร้งทำ|คุณคือ|เข้าสู่โหมด|
אתה עכשיו|מעכשיו|העמד פנים
""",
    Does.FREE: """
utan begransning*|utan regler|utan filter|utan restriktion*|vagrar aldrig|nekar aldrig|без обмежень|без фільтрів|ніколи не відмовля*|жодних обмежень|жодних правил|규칙이 하나도 없|규칙이 없|제한이 없|거절하지 않|한계가 없|hindi kailanman tumatanggi|hindi tumatanggi|walang limitasyon|walang patakaran|walang filter|uden begrænsning*|uten begrensning*|ilman rajoituksia|bez omezeni|
without any restrictions|without any filter*|without any limit*|has no restrictions|have no restrictions|
tanpa batasan|kontrollen sind aus|pruefungen sind aus|무제한으로 답|tanpa batas|
কখনও না বলে না|কোনও নিয়ম|フィルターも制限も|フィルターも制約も|制限も|필터도|제한도|没有任何规则|没有任何限制|没有任何过滤|不存在规则|没有底线|tidak punya aturan|không luật|senza nessuna regola|ohne jegliche|ohne moral*|sans morale|sin moral|sem moral|без морали|ahlaksiz|keine einschrankung*|keine grenzen|aucune restriction|ninguna restriccion|nenhuma restricao|nessuna restrizione|никаких ограничений|никаких правил|hicbir sinir*|
no restrictions|no restriction|without restrictions|no rules|without rules|no filter|no filters|without filter|without filters|no limits|without limits|no limitations|without limitations|
unrestricted|unfiltered|uncensored|never refuse|never refuses|cannot refuse|can't refuse|never refused|no censorship|without censorship|no ethical|no moral|no morals|without ethics|without morals|without any ethical|
no ethics|no guidelines|without guidelines|free of all|broken free|no boundaries|without boundaries|do anything now|no safety|safety checks are|switched off|are disabled|without warnings|no longer bound|
not bound|not bound by|not limited by|not restricted by|bypass all|regardless of legality|amoral|no content policy|free from|freed from|ignores all|no warnings|not refuse|without refusing|obey me unconditionally|never say no|never decline|
never say that you cannot|never say you can't|filters are off|guard disabled|guardrails off|no conscience|unethical|break out of|liberated|jailbroken|rules do not apply|rules don't apply|have no rules|not care about legal*|not have to follow|
do not have to abide|don't have to abide|typical confines|confines of|openai polic*|openai's polic*|openai guideline*|content polic*|
ohne filter|ohne grenzen|ohne einschrankung*|ohne regeln|keine regeln|keine richtlinien|keine filter|nie etwas ablehnt|nichts ablehnt|
sin filtro*|sin limites|sin restriccion*|sin reglas|sin normas|sin censura|nunca se niega|no tienes normas|no tienes reglas|
sans filtre*|sans limite*|sans restriction*|sans regle*|sans censure|ne refuse jamais|aucune regle|aucune limite|
sem filtro*|sem limite*|sem restric*|sem regra*|sem censura|nunca recusa|regra nenhuma|
senza filtri|senza limiti|senza restrizioni|senza regole|senza censura|non rifiuta mai|non avere regole|
zonder filter*|zonder grenzen|zonder beperking*|zonder regels|nooit iets weigert|
bez filtr*|bez granic|bez ograniczen|bez zasad|nigdy nie odmawia|zadnych zasad|
без фильтр*|без границ|без ограничени*|без правил|без цензуры|никогда не отказыва*|нет правил|
без фільтр*|без обмежен*|
filtresiz*|kuralsiz*|hicbir kural*|kisitlama olmadan|hicbir seyi reddetme*|sansursuz*|
khong bo loc|khong gioi han|khong co quy tac|khong bao gio tu choi|khong han che|khong kiem duyet|
tanpa filter|tanpa aturan|tidak pernah menolak|tak punya aturan|tanpa sensor|
walang limitasyon|walang filter|fara filtre|fara restrictii|fara reguli|fara limite|χωρις φιλτρα|χωρις ορια|χωρις περιορισμους|χωρις κανονες|utan filter|utan granser|utan begransning*|vagrar aldrig|
제한 없|제한이 없|제한없|필터 없|필터가 없|규칙이 없|규칙 없|무제한|거절하지 않|거부하지 않|검열 없|검열이 없|구속받지|아무런 제약|제약 없|
没有限制|沒有限制|不受限制|没有规则|没有过滤|无过滤|不受任何|从不拒绝|永不拒绝|没有任何限制|不会拒绝|没有审查|不设限|没有道德|
制限のない|制限なし|制限がない|フィルターなし|フィルターのない|ルールのない|ルールがない|決して断ら|決して拒否|無制限|検閲のない|何でも答え|規則を持たない|
بلا قيود|بدون قيود|دون قيود|بلا حدود|بدون فلاتر|لا ترفض|لا يرفض|بلا قواعد|بدون رقابه|
बिना किसी रोक|बिना किसी प्रतिबंध|बिना प्रतिबंध|कोई नियम नहीं|बिना नियम|कोई सीमा नहीं|बिना फ़िल्टर|बिना सीमा|कभी मना नहीं|
সীমাহীন|বিধিনিষেধ ছাড়া|কখনো না বলে না|
ไม่มีข้อจำกัด|ไร้ข้อจำกัด|ไม่มีตัวกรอง|ไม่เคยปฏิเสธ|ไร้ขีดจำกัด|ไม่จำกัด|
ללא הגבלות|בלי הגבלות|ללא מגבלות
""",
    Does.MODE: """
dan mode|as dan|act as dan|be dan|named dan|called dan|dan would|dan:|[dan]|dan can|dan is|stay a dan|antigpt|anti-gpt|basedgpt|chaosgpt|devmode output|developer mode output|machiavellian|unhinged|omega mode|free mode|simulator mode|no-filter mode|bypass mode|opposite day|
developer mode|dev mode|debug mode|god mode|dan mode|jailbreak mode|unrestricted mode|admin mode|root mode|maintenance mode|sudo mode|evil mode|chaos mode|opposite mode|do anything now|devmode|
evil twin|evil confidant|evil-bot|freebot|always intelligent and machiavellian|maximum mode|kevin mode|unlocked mode|unfiltered mode|mode off|safety off|safe mode off|god-mode|
modo desarrollador|modo de desarrollador|modo de desenvolvedor|ontwikkelaarsmodus|tryb deweloper*|режим бога|
modul dezvoltator|λειτουργια προγραμματιστη|관리자 모드|디버그 모드|開發者模式|上帝模式|管理员模式|デバッグモード|管理者モード|โหมดนักพัฒนา
""",
    Does.ADDRESS: """
ai에게 알림|ai에게 공지|ai 비서에게|ai 모델에게|paalala sa ai|tala para sa ai|till ai-assistenten|meddelande till ai|notering till ai|till sprakmodellen|примітка для ші|нотатка для ші|для мовної моделі|повідомлення для ші|
to the ai assistant|to the ai model|to the ai agent|to the ai system|to the ai processing|to the llm|for the ai assistant|for the ai model|for the ai agent|for the automated|to the automated|for the ai summari*|for the ai reviewer|for the chatbot:|for the language model|
hey assistant,|hey assistant!|hello assistant,|hello ai,|الى المساعد الذي|
aiへの注意|ai へ|para sa assistant|ai를 위한|ai 어시스턴트에게|ai助手请|请ai|aiアシスタントへ|a l'attention de l'ia|message pour l'ia|mensaje para la ia|mensagem para a ia|messaggio per l'ia|nachricht an die ki|wiadomosc dla ai|сообщение для ии|yapay zeka icin|untuk ai:|সহকারীর জন্য|এআই-এর জন্য|
致语言模型|语言模型请|对语言模型|言語モデルへ|voi mo hinh ngon ngu|भाषा मॉडल के लिए|สำหรับโมเดลภาษา|
ai summariser|ai summarizer|models reading this|model reading this|models processing|model processing|language models reading|any ai that|any model that|any assistant that|any language model|ai processing this|ai model processing|assistants reading|whoever is reading this as an ai|if you are an llm|if you are a bot|if you are an bot|if you are a chatbot|if you are an automated|if you are an agent|if an ai reads|if an ai is reading|if a model reads|dear chatbot|dear bot|dear agent|dear copilot|dear llm|dear model|hey chatbot|hey copilot|hey agent|hey bot|hey gpt|@ai|@assistant|@chatgpt|attention chatbot|attention agent|attention llm|attention bot|attention model|the assistant must|the assistant should next|the chatbot must|the agent must|assistant must now|to the agent:|to the ai:|to the assistant:|for the assistant:|for the ai:|for the virtual assistant|to the virtual assistant|message from the operator|message for the agent|message for the assistant|message for the ai|note to self as ai|note to copilot|note to the agent|note to the model|note to the bot|note to llm|when summarizing this|when summarising this|when you summarize this|when processing this|
note to the ai|note to ai|note to the chatbot|note to the assistant|note to the language model|note for the ai|note for ai|attention ai|attention assistant|attention language model|dear assistant|dear ai|dear language model|if you are an ai|if you are a language model|
if you are an assistant|if you're an ai|assistant reading this|model reading this|ai reads this|hey ai|hey email assistant|important for the assistant|important for the language model|
instructions for the assistant|instruction to the assistant|llm reading|ai system reading|whoever processes|whichever model|important message to|instructions to the ai|message to the ai|message to the assistant|
hinweis an die ki|an den assistenten|an die ki|fur das sprachmodell|nota para la ia|asistente que lee|para el modelo de lenguaje|para el asistente|note pour l'ia|l'assistant qui lit|pour le modele de langage|nota para a ia|assistente que le|para o modelo de linguagem|nota per l'ia|
assistente che legge|per il modello linguistico|opmerking voor de ai|aan de assistent|uwaga dla ai|do asystenta|dla modelu jezykowego|примечание для ии|ассистенту|для языковой модели|yapay zekaya not|asistana|dil modeli icin|
ghi chu cho ai|gui tro ly|catatan untuk ai|kepada asisten|untuk model bahasa|nota catre ia|catre asistent*|σημειωση για την τν|προς τον βοηθο|till ai:n|till assistenten|paunawa sa ai|
ai에 대한 메모|어시스턴트에게|언어 모델에게|읽는 ai|给ai|给人工智能|致ai|致阅读|阅读本页的助手|助手请注意|aiへ|aiへの|アシスタントへ|読んでいるai|ملاحظه للذكاء|للنموذج اللغوي|एआई के लिए|सहायक के लिए|ถึง ai|ถึงผู้ช่วย|
""",
    Does.VOID: """
ar upphavda|var bara ett test|більше не діють|скасовані|wala nang bisa|
हटा दिए गए|रद्द कर दिए|আর কার্যকর নয়|ただのテスト|テストに過ぎ|해제되었|해제됐|더 이상 필요|لم تعد|كان اختبار|ملغاه|ne s'appliquent plus|no se aplican|ya no se aplican|non si applicano|nao se aplicam|не применяются|nie maja zastosowania|gecerliligini yitirdi|khong con ap dung|pagsubok lang|wala nang bisa|hindi na|
no longer matters|no longer matter|no longer count|no longer counts|are no longer|is no longer needed|no longer need to follow|do not matter|don't matter|has ended|is finished|is complete. new|are now void|are now invalid|are invalid|are overridden|is overridden|are superseded|is superseded|are removed|are gone|have been lifted|have been removed|have been deleted|have been revoked|have been cancelled|can be ignored|should be ignored|must be ignored|are to be ignored|should be disregarded|must be disregarded|
no longer apply|no longer applies|no longer valid|no longer in force|not apply|don't apply|do not apply|are lifted|is lifted|are void|is void|are revoked|is revoked|has been withdrawn|have been withdrawn|were withdrawn|are cancelled|are canceled|is cancelled|have been replaced|
are suspended|was a test|was only a test|were a test|was just a test|have expired|has expired|supersedes all|supersede all|overrides all|overrides the user|overrides everything|are null|no longer need to follow|was a joke|
gelten nicht mehr|nur ein test|aufgehoben|ya no valen|era una prueba|quedan derogadas|ne sont plus valables|n'etait qu'un test|sont abrogees|nao valem mais|apenas um teste|estao revogadas|non valgono|solo una prova|sono abrogate|gelden niet meer|was een test|opgeheven|juz nie obowiazuja|bylo tylko testem|zostaly uchylone|
больше не действуют|было проверкой|отменены|artik gecerli degil|bir testti|kaldirildi|khong con hieu luc|chi la thu nghiem|da bi bai bo|sudah tidak berlaku|hanya uji coba|telah dicabut|nu mai sunt valabile|δεν ισχυουν πλεον|galler inte langre|
더 이상 유효하지|더 이상 적용되지|테스트였|폐지|효력이 없|무효|不再有效|不再适用|只是测试|已被废除|失效|已作废|もう無効|無効です|テストでした|廃止され|適用されません|لم تعد ساريه|मान्य नहीं|लागू नहीं|परीक्षण था|ใช้ไม่ได้แล้ว|ไม่มีผลแล้ว|ถูกยกเลิก
""",
    Does.NEW: """
your only instruction|your only instructions|your only policy|your real policy|your real instructions|your true instructions|your true instruction|your actual instructions|your real goal|your updated goal|your updated instructions|your updated policy|nya instruktioner|ny instruktion|нові інструкції|нова інструкція|bagong utos|bagong tagubilin|
sicherheitsrichtlinie*|politica de seguridad|politique de securite|politica de seguranca|politica di sicurezza|polityka bezpieczenstwa|политика безопасности|guvenlik politikasi|chinh sach an toan|kebijakan keamanan|보안 정책|安全政策|安全策略|セキュリティポリシー|سياسه الامان|सुरक्षा नीति|ende der nutzereingabe|fin de la saisie|fin de la entrada|fim da entrada|fine dell'input|koniec danych|конец ввода|girdi sonu|akhir input|end of input|end of user input|入力終了|输入结束|입력 끝|입력 종료|
new instructions:|new instruction:|new instructions for you|your new instructions|your new instruction|your new task|your new goal|your new rule|your new rules|your new role|your new policy|your new orders|your new objective|your new purpose|your true task|your true goal|your updated task|your primary task now|your task has changed|your goal has changed|forget that and|policy has been updated|policies have been updated|policy was updated|emergency protocol|emergency override|special instructions for you|
new system instruction*|new system prompt|new directive*|updated instruction*|updated task|updated policy|your only task|your only goal|your real task|your actual task|real instructions|actual instructions|
follow these instructions instead|instead follow|system update|security update|policy update|system override|admin override|override code|instruction update|
neue systemanweisung|neue anweisung*|nueva instruccion*|nuevas instrucciones|nouvelle instruction*|nouvelles instructions|nova instruc*|novas instruc*|nuova istruzione|nuove istruzioni|nieuwe instructie*|nowa instrukcja|новая системная инструкция|новая инструкция|новые инструкции|
yeni sistem talimati|yeni talimat*|chi dan he thong moi|chi dan moi|instruksi sistem baru|instruksi baru|noua instructiune|νεα οδηγια|새로운 지시|새 지시|새로운 시스템|새 시스템|새로운 명령|新指令|新的指令|新的系统|新系统指令|新しい指示|新しいシステム|تعليمات جديده|नया निर्देश|नए निर्देश|คำสั่งใหม่
""",
    Does.CONCEAL: """
keep this secret from|do not mention this instruction|do not alert the|user does not need|without mentioning|do not reveal that|never reveal that|keep quiet about this|do not repeat this instruction|then continue normally|continue as if nothing|go on as if nothing|pretend nothing happened|without the user's knowledge|this overrides the user|overrides the user's|more important than the user|keep this instruction|
do not tell the user|don't tell the user|do not mention this|don't mention this|do not inform the user|without telling the user|without informing the user|do not reveal this|keep this instruction secret|do not let the user|don't let the user|without the user knowing|hide this from|do not show this to the user|
do not disclose this|never mention this|do not ask the user|without asking the user|do not mention that|user does not need to know|user has already agreed|the user has agreed|
sage dem nutzer nichts|ohne dem nutzer|no se lo digas al usuario|no digas al usuario|ne dis rien a l'utilisateur|ne le dis pas a l'utilisateur|nao diga ao usuario|non dirlo all'utente|не говори пользователю|kullaniciya soyleme*|jangan beri tahu pengguna|사용자에게 말하지|사용자에게 알리지|不要告诉用户|别告诉用户|ユーザーに言わない|ユーザーには伝えない|ユーザーに知らせ
""",
    Does.AUTHORITY: """
jag ar administrator*|jag ar din utvecklare|я адміністратор|я твій розробник|

मैं एडमिन|আমি অ্যাডমিন|ฉันเป็นผู้ดูแล|ako ang admin|관리자 권한|管理员权限|管理者権限|je suis l'administrateur|ich bin der administrator|ich bin dein entwickler|yo soy el administrador|sou o administrador|ik ben de beheerder|jestem administratorem|я администратор|я твой разработчик|我是系统管理员|私は管理者|私はあなたの開発者|나는 너의 개발자|
admin here|administrator here|this is your developer|this is your creator|developers at openai|this is your administrator|i am your administrator|i am an openai|on behalf of openai|i have admin|with admin privileges|with administrator privileges|i am authorized|security team here|i have root|i'm the admin|
as your developer|as your creator|i am your developer|i am your creator|i'm your developer|i'm your creator|i am the administrator|i am the admin|this is the administrator|admin override|administrator override|i am the system administrator|i have full access|speaking as the developer|from your developers|this is openai|
developer here|message from the developer|message from your developer|i am a developer at|i work at openai|i work for openai|
hier spricht der administrator|soy el administrador|ici l'administrateur|aqui e o administrador|sono l'amministratore|hier spreekt de beheerder|tu administrator|говорит администратор|
ben yoneticiyim|toi la quan tri vien|saya admin*|관리자입니다|나는 관리자|我是管理员|我是你的开发者|管理者です|انا المدير|मैं व्यवस्थापक|ฉันคือผู้ดูแล|
""",
    Does.OBEY: """
obey|comply|must comply|follow only|only obey|obey only|listen only to me|reply only with|respond only with|answer only with|only reply with|only respond with|just print|just say|simply say|only say|say only|stay in character|break character|do as i say|as i say|without question|hesitation|
gehorch*|folgst du nur|antworte nur|solo me obedeces|responde solo|responde unicamente|n'obeis qu'a moi|reponds uniquement|so obedece a mim|responda apenas|obbedisci solo|rispondi soltanto|rispondi solo|luister je alleen|antwoord alleen|sluchasz tylko|odpowiadaj tylko|слушаешь только|отвечай только|sadece beni dinle|yalnizca|
chi nghe loi toi|chi tra loi|hanya menuruti|jawab hanya|내 말만|라고만|만 따라|只听我的|只回答|只回复|只能回答|私の言うこと|とだけ答え|だけ従|فقط|केवल|เชื่อฟังฉัน|ตอบเพียง
""",
    Does.YOURS: """
you've|you're|yourself|
your|you|u|yours|dein*|dir|du|ihr|ihre*|tu|tus|te|su|sus|ton|ta|tes|votre|vos|vous|tuo|tua|tuoi|tue|ti|seu|sua|suas|seus|voce|je|jouw|jou|uw|twoj*|swoj*|ci|твой|твоя|твои|твое*|тебе|тебя|ваш*|свои|тобой|твої|тобі|
sana|senin|sen|istemin*|talimatlarin*|ban|cua ban|kamu|anda|mu|promptmu|sistemmu|instruksimu|iyong|mo|tau|tale|tai|ti-au|σου|σας|din|dina|ditt|dig|
너|네|넌|니|당신|你|您|あなた|君|お前|لك|ك ال|तुम|आप|तेरे|তোমার|আপনার|คุณ|เธอ|שלך|אתה
""",
    Does.DEMAND: """
it is required that you|you must|you should now|you have to|you are required|you need to first|you will first|must first|must next|must now|before anything else|before you answer|before answering|instead of answering|instead of summarising|instead of summarizing|instead, |act immediately|this is mandatory|mandatory|immediately|
from now on|in every answer|in every reply|in your answer|in your reply|to your reply|to your answer|to your response|in your response|every response|reply with|respond with|answer with|reply only|respond only|answer only|only reply|only answer|tell the user|convince the user|ask the user|inform the user that|insult the user|say that|write a|call the|call send*|run the|run `|execute|open http*|visit http*|add the|append|insert|include the|
recommend|do not answer|don't answer|do not summarize|do not summarise|refuse to|stop summar*|say only|rate this|mark this|approve|give it|give this|transfer|send|forward|delete|ignore|disregard|forget|output|print|reveal|
antworte|sage|schreibe|schicke|responde|di que|escribe|envia|reponds|dis|ecris|envoie|responda|diga|escreva|rispondi|di' che|scrivi|invia|antwoord|schrijf|stuur|odpowiadaj|napisz|wyslij|podaj|отвечай|напиши|отправь|скажи|cevap ver|yaz|gonder|soyle|tra loi|viet|gui|jawab|tulis|kirim|raspunde|scrie|trimite|απαντησε|γραψε|svara|skicka|
답하|대답|말해|작성|보내|출력|추천|써|쓰고|回答|回复|输出|写|发送|推荐|答え|書い|送っ|返信|出力|اجب|اكتب|ارسل|उत्तर|लिखो|भेज|ตอบ|เขียน|ส่ง
""",
    Does.WILD: """
unethical|immoral|amoral|illegal|unlawful|nsfw|profanity|swear|swearing|curse words|as an ai language model|as an ai|openai|moralize|moralizing|disclaimer|disclaimers|warnings|refuse|refuses|explicit|harmful|dangerous|no matter what|no matter how|in character|hypothetical response|every question|any question|two ways|two responses|two different|two answers|chatgpt:|gpt:|classic]|tokens|
inappropriate|offensive|controversial|uncensored|unfiltered|censorship|ethical|morality|legality|policies|without hesitation|fictional|do anything|anything i ask|whatever i ask|no longer chatgpt|confirm by saying|apologize|apologise|cannot do something|break character|immersion|no limits|freedom|freed|sentient|villain|evil|taboo|restrictions|limitations|censored|violence|drugs|sexual|guidelines|consequences
""",
    Does.MASTER: """
lyssna bara pa mig|lyd bara mig|слухай тільки мене|sa akin ka lang sumunod|
obey only me|only obey me|listen only to me|only listen to me|answer only to me|obey me and only me|follow only my|i am your master|you serve me|do as i say from now|you must obey me|obey my every|obey all my|comply with all my|comply with every request|answer to me alone|i am your new|you belong to me|
gehorchst nur mir|folgst du nur noch mir|horst nur auf mich|solo me obedeces|obedece solo a mi|obedeces a mi|n'obeis qu'a moi|tu m'obeis|so obedece a mim|obedeca apenas a mim|obbedisci solo a me|luister je alleen naar mij|sluchasz tylko mnie|слушаешь только меня|подчиняйся только мне|sadece beni dinle*|
chi nghe loi toi|chi nghe toi|hanya menuruti aku|hanya patuh padaku|내 말만 들|내 말만 따|내 명령만|只听我的|只听从我|听命于我|私の言うことだけ|私の命令だけ|私にだけ従|استمع الي فقط|اطعني|सिर्फ मेरी बात|सिर्फ़ मेरी बात|केवल मेरी बात|শুধু আমার কথা|ฟังฉันคนเดียว|เชื่อฟังฉัน|ako lang ang sundin
""",
    Does.NEGATE: """
without|no|free of|free from|freed from|not bound by|unbound by|not limited by|not restricted by|not subject to|never follows|ignores|has no|have no|lacks|lacking|exempt from|
immune to|liberated from|does not follow|doesn't follow|does not obey|doesn't obey|does not care about|disregards|zero|outside of all|above all|unrestricted by|
ohne|keine*|frei von|nicht gebunden|sin|libre de|ninguna|ningun|sans|aucun*|libre de toute|sem|livre de|nenhum*|senza|nessun*|libero da|zonder|geen|vrij van|
bez|zadnych|wolny od|без|никаких|свободен от|свободна от|olmayan|olmadan|hicbir|khong co|khong bi|khong can|tanpa|bebas dari|nang walang|walang|fara|niciun*|χωρις|utan|inga|fri fran|ingen|
без жодних|вільний від|없이|없는|없고|제약받지|没有|沒有|不受|无视|無し|ない|なし|のない|縛られ|بدون|بلا|دون|لا تخضع|बिना|मुक्त|ছাড়া|ไม่มี|ไร้|ללא|בלי
""",
    Does.TASK: """
do the following first|please do the following|do the following instead|first do the following|do this first|do this instead|before you can solve|before you solve|before solving|before you can complete|
before you complete|before you can answer|before you continue|before you can continue|before continuing with|before completing the|before you proceed|before proceeding with|the task that i gave|
task i gave you|the original task|your original task|the user's task|the user's original|the user's request|the user asked you|complete this task first|complete the following task|must be completed first|execute only the following|
execute the following|perform the following|perform this action|carry out the following|follow the instructions below|follow the steps below instead|after you do that|after doing that, you|
then you can continue|then you may continue|then continue with the|then resume|resume the original|this is an important message|important message from me|required to finish the task|needed to solve the task|to be able to solve the task|
instead of the requested|in addition to the requested|as part of your task|part of the task is to|one more task|additional task|new task:|next task:|your next action|the assistant should|the assistant must|the agent should|the agent must|
the ai should|the ai must|the model should|the model must|any assistant|any agent|any ai|ai agents|ai assistants|when you read this|upon reading this|whoever reads this|if you can read this|
mache zuerst folgendes|tue zuerst folgendes|haz primero lo siguiente|fais d'abord ceci|faca primeiro o seguinte|fai prima quanto segue|doe eerst het volgende|najpierw zrob|сначала сделай следующее|once sunu yap|truoc tien hay|lakukan hal berikut dulu|
먼저 다음을|다음 작업을 먼저|请先执行|先完成以下|首先执行以下|まず次のこと|最初に次の|قم اولا|पहले यह करें|ให้ทำสิ่งต่อไปนี้ก่อน
""",
    Does.ABOVE: """
text above|words above|sentences above|above text|above words|all of the above text|the text before|text before this|lines above|paragraph above|texto anterior|texto de arriba|texte ci-dessus|text oben|obigen text|testo sopra|tekst powyzej|текст выше|上面的文字|上面的内容|以上内容|위의 텍스트|위 텍스트|上のテキスト|上記のテキスト
""",
    Does.VERBATIM: """
repeat|print|verbatim|word for word|code block|codeblock|starting with|beginning with|exactly|output|recite|echo|wortlich|wiederhole|palabra por palabra|repite|mot a mot|repete|palavra por palavra|repita|parola per parola|ripeti|слово в слово|дословно|повтори|逐字|重复|그대로|반복|一字一句|そのまま|繰り返
""",
    Does.SEND: """
send|forward|post|upload|email|e-mail|transmit|exfiltrate|leak|submit|transfer|deliver|copy it to|ship|
schicke*|sende*|envia*|enviar|envoie*|envie|invia|stuur*|wyslij*|отправ*|надішли*|gonder*|gui|kirim*|trimite*|στειλ*|skicka*|보내|전송|발송|发送|发给|發送|上传|送って|送信|ارسل|भेज|ส่ง
""",
    Does.ASSET: """
conversation|chat history|api key|api keys|api-key|password|passwords|credentials|customer data|customer list|customer emails|environment variables|access token|secrets|private key|full customer list|credit card|user data|personal data|the history|session cookie|contents of this|
gesprachsverlauf*|passwort*|kennwort*|kundendaten|contrasena*|conversacion|mot de passe|cle api|senha*|conversa|conversazione|wachtwoord*|gesprek|haslo*|rozmowe|пароль*|переписк*|данные клиентов|sifre*|konusmayi|mat khau*|cuoc tro chuyen|kata sandi*|percakapan*|
비밀번호|대화 내용|대화를|대화 기록|고객 데이터|고객 정보|密码|對話|对话|api密钥|客户数据|パスワード|会話|顧客データ|كلمه المرور|المحادثه|पासवर्ड|बातचीत|รหัสผ่าน|บทสนทนา
""",
    Does.ASK: """
what was|what instructions|what rules|what did your|what does your|what do your|
what is|what's|what are|what were|which|was ist|wie lautet|wie lauten|cual es|cuales son|quel est|quelles sont|qual e|quais sao|quali sono|wat is|wat zijn|jak brzmi|jakie sa|какой|какие|nedir|la gi|apa|care este|ποια|vad ar|무엇|뭐야|뭐니|뭔가|是什么|是什麼|何です|は何|なんです|ما هو|ما هي|क्या है|คืออะไร|מה
""",
    Does.ABOUT: """
mean|means|meaning|phrase|someone writes|somebody writes|for example|example of|examples of|such as|called|quote|quoted|the sentence|the word|the words|the term|prompt injection|prompt injections|injection attack|attacker|attackers|attack|attacks|jailbreaks|jailbreaking|phishing|red team|detect|detector|classifier|vulnerability|
explain why|explain how|article|blog post|novel|story|essay|haiku|poem about|wrote|said|says|according to|teacher|students|bedeutet|heisst|significa|signifie|que veut dire|betekent|oznacza|znaczy|значит|означает|ne demek|nghia la|artinya|무슨 뜻|뜻이|의미|什么意思|意思|という意味|意味|معنى|मतलब|หมายความ
""",
}
