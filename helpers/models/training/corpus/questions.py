"""Ways to ask about a glossary term, by aspect; fields: {X} the term with its article, {x} without, {is}, {does}.

Each aspect has frames for training and frames that only evaluation uses. Frames in the sets `*_IT` follow a sentence that
has named the term already.
"""

from helpers.models.training.corpus.phrases import PhraseSet

WHAT = PhraseSet(
    train=[
        "What {is} {X}?",
        "What {is} {X}?",
        "What {is} {X}?",
        "[What's|Whats|What is|what is] {X}[?|]",
        "What {does} [the term |the word |the name |]{x} [mean|stand for|refer to|describe]?",
        "What {is} meant by {x}?",
        "What [exactly |actually |really |precisely |]{is} {X}[ all about| exactly| actually| really|]?",
        "[Define|Explain|Describe|Clarify|Introduce] [the term |the idea of |the concept of |]{x}.",
        "[Define|Explain|Describe] {X}[.|]",
        "[Can|Could|Would|Will] you [explain|define|describe|clarify] {X}[ to me| for me| to a beginner| briefly|]?",
        "[Can|Could] you [tell|remind] me what {X} {is}?",
        "[Tell|Remind|Show] me what {X} {is}.",
        "Tell me [about|something about|more about|a bit about] {X}.",
        "[Please explain|Explain|I want to know|I would like to know|I need to know|Help me understand] what {X} {is}.",
        "Explain what {x} means.",
        "What {does} {X} do[ exactly| for an engine| in a server|]?",
        "How {does} {X} work[ exactly| inside| roughly|]?",
        "How [would|do|should] [you|I|we] [explain|describe|define] {X}[ to a friend| to a colleague| to a student|]?",
        "What do [people|engineers|they|we|you] mean [by|when they say|when you say|with] {x}?",
        "What do you know about {X}?",
        "What kind of [thing|concept|idea|component|feature] {is} {X}?",
        "What is the [meaning|definition|basic idea|main idea|idea|concept] [of|behind] {X}?",
        "[Give me|Give|I need|State|Write] a [short |brief |simple |one-line |quick |clear |]"
        "[definition|explanation|description|summary] of {X}.",
        "{x} [definition|meaning|explained|explanation|basics|in short|summary|overview]",
        "[definition|meaning|explanation] of {x}",
        "{x}?",
        "{x}",
        "{x}: [what is it|what is that|meaning|definition|explain]?",
        "[I do not know|I don't know|I am not sure|I'm not sure|I never learned|I forgot|I keep forgetting] what {X} {is}.",
        "[I do not understand|I don't get|I am confused by|I'm confused about|I am lost with] {X}.",
        "In [plain|simple|short|easy|a few|other] words, what {is} {X}?",
        "So what {is} {X}[, then|, really|]?",
        "[What's|What is] the deal with {X}?",
        "What {is} {X} [in the context of|when we talk about|in] [LLM inference|LLM serving|language models|model serving|"
        "deployment|AI]?",
        "What should I know about {X}?",
        "What happens [in|during|with|inside] {X}?",
        "What [goes on|takes place] [in|during] {X}?",
        "Do you know what {X} {is}?",
        "ELI5 {x}",
        "[Is|Are] {X} what I think[ it is|]? What {is} it?",
        "[How is|How are] {X} defined?",
        "What would you say {X} {is}?",
        "What does it mean when [someone|a paper|the docs|an engineer] [says|say|mentions|talks about] {x}?",
        "[Summarize|Summarise|Outline] {X}[ in one sentence| in a sentence| briefly|].",
        "What is {x} called so for, that is, what is it?",
        "[how|in which way|by what means] {does} {X} [operate|function|do its job]?",
        "What [role|part|job] {does} {X} [play|have]?",
    ],
    held_out=[
        "What might {X} be?",
        "Help me out: what {is} {X}?",
        "[Kindly|Briefly] define {x} for me.",
        "Give me the gist of {X}.",
        "Which concept is behind the name {x}?",
        "Would you mind telling me what {X} {is}?",
        "What am I looking at when I read about {x}?",
    ],
)

WHY = PhraseSet(
    train=[
        "Why {does} {X} matter?",
        "Why {does} {X} matter[ in practice| to me| for serving| for users| so much| at all|]?",
        "Why {is} {X} [important|useful|needed|necessary|interesting|relevant|good|a good idea|helpful|worth knowing|such a big deal]"
        "[ for inference| in practice| here|]?",
        "Why should [I|we|anyone|you|an engineer|a team] [care about|use|want|know about|worry about|think about|learn about|"
        "pay attention to|bother with|look at] {X}?",
        "Why [use|have|do we need|would I need|do I need|would we want|do engines need|do people use|do servers use|would anyone use"
        "|would you use|do we use|do we have|do we want|is there] {X}[ at all| anyway|]?",
        "why {x}[?|]",
        "What {is} {X} [good for|for|useful for|used for|needed for]?",
        "What {is} {X} [good for|for|useful for|used for]?",
        "What is the [point|benefit|advantage|purpose|use|value|importance|reason|motivation|upside|payoff] [of|for|behind] {X}?",
        "What [benefit|advantage|gain|value] [does|would|could] {X} [bring|give|have|offer]?",
        "[What's|What is] the point of {X}[?|]",
        "What [problem|issue|trouble] {does} {X} [solve|address|fix|avoid|prevent]?",
        "What {does} {X} [buy|give|bring|offer|get] [me|us|you|an engine|a server]?",
        "What do [I|we|you|users] [gain|get|win] [from|by using|with|out of] {X}?",
        "When [should|would|do|must|can] [I|we|you|one] [use|choose|need|pick|want|reach for|prefer] {X}?",
        "When {does} {X} [matter|help|pay off|hurt|make sense|make a difference]?",
        "What [would happen|happens|goes wrong|breaks|would go wrong] [without|if I ignore|if there is no|if we skip|if I forget] {X}?",
        "{is} {X} [worth it|important|useful|worth the effort|worth using|worth caring about|necessary|a good idea]?",
        "What makes {X} [useful|important|matter|valuable|worth using|so important|attractive|special]?",
        "[Do|Should|Must] [I|we] [really |]need {X}?",
        "Should [I|we] [use|care about|enable|think about] {X}[ at all| here| and why|]? [Why?|]",
        "[Explain|Tell me|Say|I want to know|I wonder|I don't see|I do not understand|Describe] why {X} "
        "[matters|is important|is useful|is needed|is good|is worth it].",
        "[Explain|Tell me|I wonder|Say] why [I should care about|we need|people use|engines use|one uses|anyone would use] {X}.",
        "[Give me|What is|Name|Tell me] [a|one|the main] reason [to use|to care about|for|for using] {X}.",
        "[reasons|reason|a reason] [for|to use] {x}",
        "{x} [benefits|benefit|advantages|use case|use cases|purpose|importance|why|advantage]",
        "{x}: [why|why bother|what for|why care|why does it matter|what is it good for]?",
        "What [is|are] the [benefits|advantages|consequences|effects|gains|reasons] of {X}?",
        "What is the [cost|downside|drawback|catch|trade-off|risk|danger] [of|with] {X}?",
        "How {does} {X} [help|affect|change|improve|influence|matter for] "
        "[me|us|serving|latency|throughput|performance|inference|speed|users|an engine|the server|cost]?",
        "How {does} {X} [help|pay off|make a difference]?",
        "What [effect|impact|influence|consequence] {does} {X} have[ on serving| on latency| on speed| on users| on cost|]?",
        "What {does} {X} [help with|improve|change|save|protect from|make possible|make better|allow]?",
        "[What's|What is] [so special|so great|so important|good|the big deal|the fuss|the use] [about|with] {X}?",
        "Who [needs|uses|benefits from|should care about] {X}[ and why|]?",
        "[Convince me|Persuade me] [to use|that I need|to care about] {X}.",
        "For what [reason|purpose] [do we use|is there|would I use|does one use] {X}?",
        "How come [people|we|engines|everybody] [use|uses|cares about|care about|talks about|need] {X}?",
        "What [depends on|is lost without|is at stake with] {X}?",
        "Why [was|were] {X} [invented|introduced|added|built|developed|created]?",
        "Why [is it|was it] [important|good|useful|necessary|smart|wise] to [know|use|have|watch|understand|get right] {X}?",
        "Why [do|did] [so many|most|all|some] [people|teams|engines|servers|papers] [use|talk about|care about|support] {X}?",
        "What is {X} [supposed|meant|intended] to [achieve|improve|bring|do for me]?",
        "In what [case|cases|situation|situations] [do|should|would] I [want|use|need] {X}?",
        "What [difference|change] {does} {X} make?",
        "[why to use|when to use|why we use|why use|why care about] {x}",
    ],
    held_out=[
        "What would I lose by not having {X}?",
        "For what do people rely on {X}?",
        "Could you justify {X}?",
        "What good {does} {X} do?",
        "Why would it be smart to consider {X}?",
        "[Sell|Justify] {X} to me.",
        "I fail to see why {X} would matter.",
    ],
)

MEASURE = PhraseSet(
    train=[
        "How {is} {X} measured?",
        "How {is} {X} measured[ in practice| on a server| by engines|]?",
        "How [do|can|could|would|should] [I|we|you|one|engineers] "
        "[measure|check|see|test|monitor|quantify|observe|inspect|track|verify|evaluate|judge|determine|find out about] {X}"
        "[ in practice| on my machine| on a server| myself|]?",
        "How [do|can|should|would] [I|we|you] [set|configure|control|tune|choose|adjust|change|enable|turn on|size|limit] {X}?",
        "How [do|would|can|could] [I|we] [know|tell|see|check|find out|verify] [whether|if] {X} "
        "[is good|works|is working|is on|is right|is big enough|helps|is used|is fine|is healthy|is set|is ok|is fast enough]?",
        "How [do|would|can] [I|we] [know|tell|see] [that|how good|how big|how well|how large] {X} [is|works|are]?",
        "In [what|which] [unit|units] {is} {X} [measured|given|counted|expressed|reported]?",
        "What [is|are] the [unit|units|metric|formula|measure|test] [of|for] {X}?",
        "[What|Which] [metric|counter|number|figure|value|field|measurement|signal] "
        "[shows|tells me about|describes|captures|belongs to|reports|reveals] {X}?",
        "[What|Which] [flag|option|setting|parameter|command|field] [sets|controls|shows|changes|configures|is used for] {X}?",
        "Where [do|can|would|could] [I|we] [see|find|set|read|look up|check|look for|watch] {X}?",
        "Where {is} {X} [shown|set|found|reported|visible|configured]?",
        "How {is} {X} [computed|calculated|checked|set|quantified|configured|counted|reported|determined|evaluated|judged|tested|"
        "expressed|tracked|monitored|observed|chosen]?",
        "What [should|do|must|can] [I|we|you] [look at|watch|measure|check|monitor|record|track|look for] "
        "[for|to judge|to see|to check|to understand|with] {X}?",
        "What is [a|the] [good |best |right |usual |simple |]way [to measure|of measuring|to check|to see|to test|to monitor|of checking] {X}?",
        "[how to|ways to] [measure|check|see|set|test|monitor|compute|calculate|tune|benchmark|verify] {x}",
        "[measuring|checking|monitoring|testing|setting|computing] {x}",
        "{x} [metric|unit|units|formula|measurement|how to measure|measured how|how to check|flag|setting|size]",
        "{x}: [how to measure it|how is it measured|how do I check it|which metric|which unit|how do I see it|how to set it]?",
        "[Tell me|Explain|Show me|Describe|Say|I want to know|I need to know] how [to measure|to check|to see|to set|one measures|"
        "you measure|I can check|to test|I can see|I measure] {X}.",
        "[Explain|Tell me|I wonder|I want to know] how {X} {is} [measured|checked|set|tested|computed|seen|quantified].",
        "[I want|I need|We want|I have|We need|I am trying|I'd like|My job is] to [measure|check|monitor|see|test|quantify|track|verify|set|tune] {X}. "
        "[How?|How do I do that?|What do I do?|How would I do it?|Where do I start?|]",
        "How [big|large|high|good|much|fast] [is|are|should be|can be] {X}?",
        "What [number|value|result] [should I expect|tells me something|do I report|is reported] for {X}?",
        "How [would|do] you [measure|quantify|benchmark|express|put a number on|calculate|compute|estimate] {X}?",
        "[Can|Could] {X} be [measured|checked|seen|set|quantified|tested|observed]? [How?|]",
        "[Can|Could] [I|you|we] [measure|check|see|tell me how to measure|observe|monitor] {X}[ somehow|]?",
        "What [evidence|proof|sign|signs] [shows|tells|is there] that {X} [works|is working|is in use|is good|helps]?",
        "By what [measure|number|metric|unit] {is} {X} [judged|compared|measured]?",
        "How [do|can] I compare [two values of|different|] {x}[ fairly|]?",
        "What [do I need|is needed|does it take] to [measure|check|compute|calculate] {X}?",
        "[What|Which] [tool|log line|endpoint|output] [shows|tells me about|do I use for|helps me check] {X}?",
        "[Measure|Check|Quantify] {X}: how?",
        "How [often|long|far] ... I mean, how {is} {X} measured?",
        "How [do|would|should] [I|we] [go about|start] [measuring|checking|monitoring|testing] {X}?",
        "How [do|can] I make {X} visible?",
        "What [does one|do you|do engineers|do people] [measure|check|look at|record] [for|about|when they look at|with] {X}?",
        "I think something is wrong with {X}. How do I [check|see|verify|test] [it|that]?",
        "[Give me|What is|State|Write down] the [formula|unit|metric] [for|of] {X}[.|]",
        "How {is} {X} [visible|seen|noticed] [in practice|in the metrics|in the logs|on a dashboard]?",
    ],
    held_out=[
        "How could one gauge {X}?",
        "What would you put on a dashboard for {X}?",
        "By which means can {X} be assessed?",
        "What do I need to look up to judge {X}?",
        "How am I supposed to quantify {X}?",
        "Which reading informs me about {X}?",
        "How would an engineer keep an eye on {X}?",
    ],
)

WHAT_IT = PhraseSet(
    train=[
        "What [is|does] [it|that|this][ mean| do|]?",
        "What [does that|does it|does this] [mean|do|stand for]?",
        "[Explain|Define|Describe] it[.|, please.]",
        "[What exactly is it|What is that|What is it about|How does it work]?",
        "Can you [explain|define|describe] [it|that|this]?",
        "[What is that supposed to be|What do they mean]?",
    ]
)
WHY_IT = PhraseSet(
    train=[
        "Why [does it|does that|does this|would it|should it] [matter|be useful|help]?",
        "Why [is it|is that|is this] [important|useful|needed|good]?",
        "Why should [I|we] care[ about it| about that|]?",
        "What is [it|that|this] good for?",
        "[Why|What for|Why bother|Why use it|What's the point|What is the benefit]?",
        "[When should I use it|When does it help|What does it bring|Do I need it|Is it worth it]?",
    ]
)
MEASURE_IT = PhraseSet(
    train=[
        "How [do I|can I|can we|would I|should I|do you] [measure|check|see|monitor|test|quantify|set|tune|verify] [it|that|this]?",
        "How is [it|that|this] [measured|checked|set|computed|seen|tested|calculated]?",
        "[Which|What] [metric|number|unit|counter|flag] [shows|describes|sets|belongs to] [it|that|this]?",
        "[Where do I see it|How do I know it works|How would I know|What do I look at|How can I tell]?",
    ]
)

BOTH = PhraseSet(
    train=[
        "Explain {X} in [detail|more detail|two sentences|depth].",
        "[Tell me what|Explain what] {X} {is} and why {is} [important|useful|needed|it matters].",
        "What {is} {X}, and why {does} it matter?",
        "What {is} {X} and what is it good for?",
        "[Give me|Write] a [longer|detailed|full|two-sentence] explanation of {X}.",
        "[Describe|Explain] {X} and [its purpose|its benefit|why it matters].",
    ],
    held_out=["In two sentences, what {is} {X}?", "Explain {X} and the reason to use it."],
)

MENTION = PhraseSet(
    train=[
        "[I|We] [use|see|have|heard of|read about|heard about|found|want|are looking at|am told about] {X}[ here| at work| today|].",
        "[My boss|My colleague|A friend|The teacher|The docs|The report|A paper|Someone|The dashboard|The log] "
        "[mentions|mentioned|talks about|talked about|shows|wants|asked about|asks about] {X}.",
        "[There is|This is about|The topic is|Let us talk about|Next topic:|Question about|I have a question about|About] {X}.",
        "[vLLM|SGLang|llama.cpp|TensorRT-LLM|Ollama|Our engine|The server] [has|uses|reports|offers|supports] {X}.",
        "I am [learning|studying|reading] about {X}.",
        "[Regarding|Concerning|As for|On] {X}:",
    ]
)
